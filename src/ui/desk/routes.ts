/** Places of the desk. Readable when an address is read out over the telephone. */
export const ROUTES = {
  today: "/",
  rooms: "/phong",
  sessions: "/buoi-tiep",
  newSession: "/buoi-tiep/moi",
  session: (id: string): string => `/buoi-tiep/${id}`,
  recordings: "/ban-ghi",
  recording: (id: string): string => `/ban-ghi/${id}`,
  points: "/diem-cau",
  point: (id: string): string => `/diem-cau/${id}`,
  pairing: "/ghep-thiet-bi",
  stick: "/usb-thiet-bi",
  releases: "/cap-nhat",
  people: "/nguoi-dung",
};
