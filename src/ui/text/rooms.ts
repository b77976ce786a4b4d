import { count, size } from "./format.ts";

/** Wording of the rooms: the wall, and the one that was chosen. */

export const ROOMS = {
  title: "Phòng",
  list: "Các phòng",
  lead: "Bấm vào một phòng để nghe tiếng và xem cách sửa.",
  filter: "Tìm phòng",
  all: "Tất cả",
  needHelp: "Cần giúp",
  connected: "Đang nối",
  recording: "Đang ghi",
  offline: "Chưa nối",
  noBox: "Chưa có thiết bị",
  groups: "Chọn nhóm phòng",
  empty: "Chưa có phòng nào",
  emptyText: "Ghép thiết bị đầu tiên để phòng hiện ở đây.",
  noMatch: "Không phòng nào khớp",
  noMatchText: "Bỏ bớt chữ trong ô tìm hoặc chọn nhóm khác.",
  listening: "Đang nghe",
  stopListening: "Tắt tiếng",
  startListening: "Nghe phòng này",
  detail: "Phòng đang chọn",
  closeDetail: "Đóng khung này",
  noTrouble: "Phòng này đang tốt.",
  noBoxText: "Điểm cầu này chưa có thiết bị.",
  pair: "Ghép thiết bị",
  connecting: "Đang nối hình…",
  waiting: "Chờ hình từ phòng",
  stalled: "Hình đang chậm, tự nối lại",
  unsupported: "Trình duyệt này không xem được hình trực tiếp",
  offlineSince: (when: string): string => `Mất kết nối từ ${when}`,
  neverSeen: "Chưa từng nối",
  isRecording: "Đang ghi",
  notRecording: "Chưa ghi",
  recordingUnknown: "Chưa rõ có đang ghi",
  recorded: "Đã ghi",
  session: "Buổi tiếp",
  role: "Vai trò",
  seen: "Liên lạc gần nhất",
  source: "Nguồn hình, tiếng",
  /** Device names come as they are; what the box says around them is said in Vietnamese. */
  sourceOf: (words: string): string =>
    words
      .replace(/^virtual room: /, "phòng mô phỏng ")
      .replace(/^file (?=\/)/, "tệp ")
      .replace("(no picture)", "(không có hình)")
      .replace("(no sound)", "(không có tiếng)")
      .replace("no camera", "không có máy quay")
      .replace("no microphone", "không có micrô"),
  encoder: "Mã hóa",
  encoders: { software: "bằng bộ xử lý", vaapi: "bằng chip đồ họa" },
  speed: "Tốc độ hình",
  fps: (n: number): string => `${String(Math.round(n * 10) / 10).replace(".", ",")} hình/giây`,
  dropped: "Hình bị bỏ",
  loudness: "Độ to",
  lufs: (n: number): string => `${String(Math.round(n)).replace("-", "−")} LUFS`,
  speech: (heard: boolean): string => (heard ? "có tiếng nói" : "chưa nghe tiếng nói"),
  roundTrip: "Đi về một vòng",
  milliseconds: (n: number): string => `${Math.round(n)} ms`,
  disk: "Ổ đĩa còn trống",
  diskOf: (free: number, total: number): string => `${size(free)} trong ${size(total)}`,
  pending: "Chưa về trung tâm",
  pendingSegments: (n: number): string => (n === 0 ? "không còn đoạn nào" : `${count(n)} đoạn`),
  version: "Phiên bản",
};
