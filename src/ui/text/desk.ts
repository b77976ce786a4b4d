import type { ErrorView, SegmentView, SessionEventView } from "../../hub/http/views.ts";
import { count, duration, size } from "./format.ts";

/** All wording of the desk. Glossary terms; buttons are verbs; errors say what happened, what it means, what to do. */

export const NAV = {
  label: "Các trang",
  today: "Hôm nay",
  rooms: "Phòng",
  sessions: "Buổi tiếp",
  recordings: "Bản ghi",
  points: "Điểm cầu",
  pairing: "Ghép thiết bị",
  skip: "Đến nội dung chính",
  signOut: "Đăng xuất",
  needHelp: (n: number): string => `${count(n)} phòng cần giúp`,
  waiting: (n: number): string => `${count(n)} thiết bị chờ ghép`,
  liveNow: "Đang diễn ra",
};

export const THEME = {
  label: "Nền màn hình",
  system: "Nền theo máy",
  light: "Nền sáng",
  dark: "Nền tối",
};

export const HUB = {
  silentTitle: "Máy chủ không trả lời",
  silent: "Màn hình đang tự nối lại. Các phòng vẫn tự ghi tại chỗ, không phải bấm gì.",
  silentFor: (ms: number): string => `Đã ${duration(ms)}.`,
  connecting: "Đang nối với máy chủ…",
  disk: { low: "Ổ đĩa của máy chủ sắp đầy", full: "Ổ đĩa của máy chủ đã đầy" },
  diskText: {
    low: (free: string): string =>
      `Còn ${free}. Báo phụ trách kỹ thuật tăng chỗ chứa; việc ghi và gửi về vẫn bình thường.`,
    full: (free: string): string =>
      `Còn ${free}. Bản ghi chưa về trung tâm được nhưng vẫn còn nguyên ở các phòng. Gọi phụ trách kỹ thuật ngay.`,
  },
};

export const WORDS = {
  cancel: "Không, quay lại",
  clearFilter: "Bỏ lọc",
  noMatch: "Không có dòng nào khớp với chữ đang lọc.",
  shown: (n: number, all: number): string =>
    n === all ? `${count(all)} dòng` : `${count(n)} trong ${count(all)} dòng`,
  sortBy: (column: string): string => `Sắp xếp theo ${column}`,
  repair: "Cách sửa:",
  loading: "Đang tải…",
  reload: "Tải lại trang",
  actions: "Việc làm",
  pointCount: (n: number): string => `${count(n)} điểm cầu`,
};

interface ErrorWords {
  title: string;
  text: string;
}

export const ERRORS: Record<ErrorView["code"], ErrorWords> = {
  notSignedIn: {
    title: "Phiên đăng nhập đã hết",
    text: "Việc ghi không bị ảnh hưởng. Mời đăng nhập lại để làm tiếp.",
  },
  wrongCredentials: {
    title: "Tên đăng nhập hoặc mật khẩu không đúng",
    text: "Kiểm tra phím Caps Lock và bộ gõ tiếng Việt, rồi nhập lại.",
  },
  tooManyTries: {
    title: "Đã thử quá nhiều lần",
    text: "Máy chủ tạm khóa để giữ an toàn. Đợi 15 phút rồi thử lại.",
  },
  mustChangePassword: {
    title: "Cần đặt mật khẩu mới",
    text: "Mật khẩu đang dùng chỉ dùng được một lần. Mời đặt mật khẩu mới để làm tiếp.",
  },
  weakPassword: {
    title: "Mật khẩu mới chưa đủ mạnh",
    text: "Cần ít nhất 12 ký tự và khác mật khẩu đang dùng. Vài từ ghép lại là đủ.",
  },
  badRequest: {
    title: "Nội dung gửi chưa đúng",
    text: "Chưa có gì thay đổi. Kiểm tra lại các ô vừa nhập rồi gửi lại.",
  },
  notFound: {
    title: "Không tìm thấy",
    text: "Mục này không còn hoặc địa chỉ không đúng. Mời chọn lại từ danh sách.",
  },
  wrongPairingCode: {
    title: "Mã ghép không đúng",
    text: "Chưa có thiết bị nào được ghép. Nhìn lại mã trên tivi của phòng rồi nhập lại; mã đổi sau mỗi 15 phút.",
  },
  pairingLocked: {
    title: "Đã nhập sai mã quá nhiều lần",
    text: "Mọi thiết bị đang chờ sẽ hiện mã mới. Nhìn mã mới trên tivi của phòng rồi nhập lại.",
  },
  pointTaken: {
    title: "Điểm cầu này đã có thiết bị",
    text: "Chưa có gì thay đổi. Nếu muốn thay thiết bị cũ, xác nhận ở dưới.",
  },
  wrongState: {
    title: "Buổi tiếp không còn ở trạng thái này",
    text: "Có thể người khác vừa bấm. Trạng thái mới đã hiện trên trang.",
  },
  roomBusy: {
    title: "Có phòng đang ở buổi tiếp khác",
    text: "Buổi tiếp này chưa bắt đầu. Kết thúc buổi kia hoặc bỏ phòng đó ra khỏi buổi này.",
  },
  noRooms: {
    title: "Chưa có phòng nào có thiết bị",
    text: "Buổi tiếp này chưa bắt đầu. Ghép thiết bị cho ít nhất một điểm cầu của buổi.",
  },
  internal: {
    title: "Máy chủ gặp lỗi",
    text: "Các phòng vẫn tự ghi tại chỗ. Thử lại; nếu vẫn lỗi thì báo phụ trách kỹ thuật.",
  },
};

export const NO_ANSWER: ErrorWords = {
  title: "Máy chủ không trả lời",
  text: "Chưa có gì thay đổi, các phòng vẫn tự ghi tại chỗ. Kiểm tra dây mạng của máy này rồi thử lại.",
};

export const SIGN_IN = {
  title: "Đăng nhập",
  login: "Tên đăng nhập",
  password: "Mật khẩu",
  show: "Hiện mật khẩu",
  submit: "Đăng nhập",
  required: "Cần nhập ô này.",
  expired: "Phiên đăng nhập đã hết. Mời đăng nhập lại.",
};

export const NEW_PASSWORD = {
  title: "Đặt mật khẩu mới",
  lead: "Mật khẩu vừa dùng chỉ dùng được một lần. Mật khẩu mới chỉ mình anh, chị biết.",
  current: "Mật khẩu đang dùng",
  next: "Mật khẩu mới",
  hint: "Ít nhất 12 ký tự. Vài từ ghép lại thì dễ nhớ và khó đoán.",
  tooShort: (missing: number): string => `Còn thiếu ${missing} ký tự.`,
  submit: "Đặt mật khẩu",
};

export const TODAY = {
  title: "Hôm nay",
  next: "Buổi tiếp sắp tới",
  none: "Chưa có buổi tiếp nào được lập",
  noneText: "Lập một buổi tiếp, chọn các điểm cầu, rồi bắt đầu khi đến giờ.",
  noPoints: "Chưa có điểm cầu nào",
  noPointsText: "Cắm điện thiết bị ở phòng, nhìn mã 8 chữ trên tivi, rồi nhập mã đó tại đây.",
  create: "Lập buổi tiếp",
  pair: "Ghép thiết bị",
  help: "Phòng cần giúp",
  noHelp: "Không phòng nào cần giúp",
  noHelpText: (connected: number): string => `${count(connected)} phòng đang nối và đều tốt.`,
  moreHelp: (n: number): string => `Xem thêm ${count(n)} phòng`,
  underway: "Bản ghi đang về",
  allHome: "Mọi bản ghi đã về đủ",
  allHomeText: "Không còn bản ghi nào trên đường về trung tâm hoặc về kho của tỉnh.",
  open: "Mở buổi tiếp",
  openRooms: "Xem phòng",
  recordingRooms: (n: number, all: number): string => `${count(n)}/${count(all)} phòng đang ghi`,
  readyRooms: (n: number, all: number): string => `${count(n)}/${count(all)} phòng sẵn sàng`,
  unscheduled: "Chưa hẹn giờ",
  numbers: "Các phòng",
  connected: "đang nối",
  recording: "đang ghi",
  offline: "chưa nối",
  needHelp: "cần giúp",
  later: "Các buổi sau",
};

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

export const PAIRING = {
  title: "Ghép thiết bị",
  lead: "Tivi ở phòng hiện một mã 8 chữ. Nhập mã đó tại đây để thiết bị thuộc về một điểm cầu.",
  waiting: (n: number): string =>
    n === 0 ? "Chưa có thiết bị nào đang chờ ghép." : `Đang có ${count(n)} thiết bị chờ ghép.`,
  waitingHelp: "Thiết bị chỉ hiện mã khi đã có điện và dây mạng nối được tới trung tâm.",
  code: "Mã trên tivi",
  codeHint: "Tám chữ cái, không có nguyên âm và chữ số. Dán cả mã cũng được.",
  first: "Bốn chữ đầu",
  second: "Bốn chữ sau",
  badLetter: (letter: string): string => `Mã ghép không có ký tự “${letter}”.`,
  incomplete: (missing: number): string => `Còn thiếu ${missing} chữ của mã.`,
  target: "Thuộc về điểm cầu nào?",
  existing: "Điểm cầu đã có",
  create: "Điểm cầu mới",
  choose: "Chọn điểm cầu",
  choosePlaceholder: "Chọn trong danh sách…",
  free: "Chưa có thiết bị",
  taken: "Đã có thiết bị, sẽ thay",
  name: "Tên điểm cầu mới",
  nameHint: "Ví dụ: Phường Trương Quang Trọng, Sở Nông nghiệp và Môi trường.",
  missingPoint: "Cần chọn điểm cầu.",
  missingName: "Cần nhập tên điểm cầu.",
  replaceTitle: (point: string): string => `Thay thiết bị của ${point}?`,
  replaceText:
    "Thiết bị cũ thôi được vào hệ thống. Bản ghi đã về trung tâm vẫn còn; phần chưa về thì nằm lại trên thiết bị cũ.",
  replace: "Thay thiết bị",
  submit: "Ghép thiết bị",
  done: (point: string): string => `Đã ghép thiết bị với ${point}`,
  doneText: "Trong vài giây, tivi của phòng sẽ hiện ba đèn Hình, Tiếng, Đường truyền.",
  again: "Ghép thiết bị khác",
  seeRooms: "Xem hình các phòng",
  stepsTitle: "Việc ở phòng",
  steps: [
    "Cắm dây mạng, tivi, máy quay và micrô vào thiết bị.",
    "Cắm điện. Khoảng một phút sau, tivi hiện mã 8 chữ.",
    "Đọc mã đó cho trung tâm qua điện thoại.",
    "Ghép xong, tivi hiện ba đèn Hình, Tiếng, Đường truyền.",
  ],
};

export const SESSIONS = {
  title: "Buổi tiếp",
  create: "Lập buổi tiếp",
  adHoc: "Đột xuất, bắt đầu tại phòng",
  empty: "Chưa có buổi tiếp nào",
  emptyText: "Buổi tiếp đầu tiên lập xong sẽ hiện ở đây.",
  name: "Tên buổi tiếp",
  state: "Trạng thái",
  when: "Thời gian",
  points: "Điểm cầu",
  length: "Thời lượng",
  filter: "Tìm buổi tiếp",
};

export const NEW_SESSION = {
  title: "Lập buổi tiếp",
  name: "Tên buổi tiếp",
  nameHint: "Ví dụ: Tiếp công dân định kỳ tháng 11.",
  suggested: (date: string): string => `Tiếp công dân ngày ${date}`,
  date: "Ngày",
  time: "Giờ bắt đầu",
  length: "Dự kiến kéo dài",
  lengthHint: "Thiết bị ở mỗi phòng giữ sẵn chỗ để ghi trọn buổi.",
  whenHint: "Bỏ trống nếu bắt đầu ngay. Đến giờ vẫn cần bấm Bắt đầu.",
  points: "Các điểm cầu tham gia",
  pointsHint: "Dán danh sách tên từ bảng tính vào ô tìm để chọn một lượt.",
  filter: "Tìm điểm cầu",
  selectAll: "Chọn tất cả",
  selectShown: "Chọn các điểm cầu đang hiện",
  clear: "Bỏ chọn",
  likeLast: "Chọn như buổi gần nhất",
  chosen: (n: number): string => `Đã chọn ${count(n)} điểm cầu`,
  pasted: (found: number, missing: string[]): string =>
    missing.length === 0
      ? `Đã chọn ${count(found)} điểm cầu trong danh sách dán vào.`
      : `Đã chọn ${count(found)} điểm cầu. Không tìm thấy: ${missing.join("; ")}.`,
  central: "Điểm cầu trung tâm",
  centralHint: "Nơi người chủ trì ngồi.",
  centralFirst: "Chọn các điểm cầu tham gia trước",
  centralChoose: "Chọn trong danh sách…",
  dateChoose: "Chưa hẹn ngày",
  timeChoose: "Chưa hẹn giờ",
  noBox: "chưa có thiết bị",
  missingName: "Cần nhập tên buổi tiếp.",
  missingPoints: "Cần chọn ít nhất một điểm cầu.",
  missingCentral: "Cần chọn một điểm cầu trung tâm.",
  missingDate: "Cần chọn cả ngày.",
  missingTime: "Cần chọn cả giờ.",
  submit: "Lập buổi tiếp",
  saved: "Bản nháp tự lưu trên máy này.",
  summary: "Cần sửa trước khi lập buổi tiếp",
};

export const SESSION = {
  noRoom: (rooms: number): string => `Chưa sẵn sàng: ${count(rooms)} phòng không đủ chỗ ghi trọn buổi này`,
  noRoomOf: (room: string, missing: string): string => `${room}: ổ đĩa của thiết bị còn thiếu ${missing}.`,
  noRoomText: "Báo phụ trách kỹ thuật, hoặc hẹn buổi ngắn hơn. Buổi vẫn bắt đầu được, phòng ghi đến khi hết chỗ.",
  start: "Bắt đầu buổi tiếp",
  pause: "Tạm dừng",
  resume: "Tiếp tục",
  end: "Kết thúc…",
  endTitle: "Kết thúc buổi tiếp?",
  endText: "Tất cả các phòng thôi ghi. Buổi đã kết thúc thì không mở lại được.",
  endRooms: (n: number): string => `${count(n)} phòng đang ghi sẽ đóng bản ghi và gửi nốt về trung tâm.`,
  endConfirm: "Kết thúc buổi tiếp",
  endCancel: "Chưa kết thúc",
  elapsed: "Thời gian tiếp",
  pausedFor: "Đã tạm dừng",
  startsIn: "Giờ hẹn",
  scheduled: (when: string): string => `Hẹn ${when}`,
  startedAt: (when: string): string => `Bắt đầu ${when}`,
  ran: (from: string, to: string, length: string): string => `Bắt đầu ${from}. Kết thúc ${to}. Tiếp trong ${length}.`,
  unscheduled: "Chưa hẹn giờ",
  rooms: "Các phòng",
  events: "Nhật ký",
  noEvents: "Chưa có việc nào được ghi lại.",
  allReady: "Tất cả các phòng đã sẵn sàng.",
  notReady: (n: number, all: number): string => `${count(n)} trong ${count(all)} phòng chưa sẵn sàng`,
  notReadyText: "Vẫn bắt đầu được. Phòng nối sau sẽ tự vào và ghi từ lúc đó.",
  recordingAll: (n: number): string => `Cả ${count(n)} phòng đang ghi`,
  recordingSome: (n: number, all: number): string => `${count(n)}/${count(all)} phòng đang ghi`,
  paused: "Buổi tiếp đang tạm dừng, các phòng không ghi.",
  copies: "Bản ghi đang về",
  copiesDone: "Bản ghi đã về đủ",
  openRecording: "Mở bản ghi",
  notFound: "Không có buổi tiếp này",
  notFoundText: "Địa chỉ không đúng hoặc buổi tiếp đã bị xóa. Mời chọn lại từ danh sách.",
  room: "Phòng",
  role: "Vai trò",
  lamps: "Ba đèn",
  recordingColumn: "Bản ghi",
  atRoom: "Tại phòng",
  atHub: "Tại trung tâm",
  atProvince: "Tại kho của tỉnh",
};

export const EVENT_WORDS: Record<SessionEventView["kind"], string> = {
  created: "Lập buổi tiếp",
  started: "Bắt đầu",
  paused: "Tạm dừng",
  resumed: "Tiếp tục",
  ended: "Kết thúc",
  roomLost: "Mất kết nối",
  roomBack: "Đã nối lại",
  startedByRoom: "Phòng tự bắt đầu ghi khi chưa có lệnh của trung tâm",
  endedByRoom: "Phòng tự kết thúc ghi",
  alarmRaised: "Cảnh báo",
  alarmCleared: "Hết cảnh báo",
};
/** Of a box that is newer than this program. */
export const UNKNOWN_CAUSE = "Sự cố khác";
export const EVENT_BY_SYSTEM = "hệ thống ghi nhận";

export const COPIES = {
  room: "Tại phòng",
  hub: "Tại trung tâm",
  province: "Tại kho của tỉnh",
  recorded: (segments: number, bytes: number): string => `Đã ghi ${count(segments)} đoạn, ${size(bytes)}`,
  nothing: "Chưa ghi đoạn nào",
  hubDone: "Đã đủ 100 % tại trung tâm, mã băm khớp",
  provinceDone: "Đã đủ 100 % tại kho của tỉnh, mã băm khớp",
  progress: (part: number, whole: number): string => `${count(part)} trong ${count(whole)} đoạn đã kiểm tra`,
  segments: (part: number, whole: number): string => `${count(part)}/${count(whole)} đoạn`,
  recordedShort: (segments: number, bytes: number): string => `${count(segments)} đoạn, ${size(bytes)}`,
  stillRecording: "Phòng đang ghi tiếp",
  refused: (n: number): string => `${count(n)} đoạn không khớp mã băm, đang lấy lại từ phòng`,
  underway: "Đang về",
  onlyRoom: "Mới có tại phòng",
  complete: "Đã về đủ",
  hubComplete: "100 % tại trung tâm, mã băm khớp",
  none: "Chưa có bản ghi",
};

export const RECORDINGS = {
  title: "Bản ghi",
  empty: "Chưa có bản ghi nào",
  emptyText: "Bản ghi tự có khi một buổi tiếp bắt đầu.",
  session: "Buổi tiếp",
  date: "Ngày",
  length: "Thời lượng",
  rooms: "Phòng",
  gaps: "Gián đoạn",
  copies: "Bản ghi đã về",
  filter: "Tìm bản ghi",
  notBegun: "Trung tâm chưa bắt đầu buổi này",
  unrecorded: (n: number, all: number): string =>
    n === all ? "Không phòng nào có bản ghi" : `${count(n)}/${count(all)} phòng không có bản ghi`,
};

export const RECORDING = {
  times: {
    corrected: "Giờ đã chỉnh theo trung tâm",
    box: "Giờ theo đồng hồ của thiết bị, chưa đối chiếu được",
  },
  notFound: "Không có bản ghi này",
  notFoundText: "Buổi tiếp chưa bắt đầu nên chưa có gì để ghi, hoặc địa chỉ không đúng.",
  player: "Xem lại",
  notPlayable: "Chưa có đoạn nào được kiểm tra xong nên chưa xem lại được. Trang tự cập nhật.",
  play: "Phát",
  pause: "Dừng",
  backSecond: "Lùi 1 giây",
  forwardSecond: "Tới 1 giây",
  previousFrame: "Lùi 1 hình",
  nextFrame: "Tới 1 hình",
  second: "1 giây",
  frame: "1 hình",
  rate: "Tốc độ",
  rateOf: (rate: number): string => `${String(rate).replace(".", ",")}×`,
  keys: "Phím tắt: dấu cách phát hoặc dừng, ← → một giây, dấu phẩy và dấu chấm một hình.",
  hearing: "Đang nghe",
  loading: "Đang lấy bản ghi…",
  failed: "Không phát được đoạn này. Bản ghi vẫn còn nguyên; thử lại sau.",
  gapNow: (cause: string): string => `Gián đoạn: ${cause}`,
  notYet: "Đoạn này chưa về trung tâm",
  outside: "Phòng chưa ghi ở thời điểm này",
  tooMany: (n: number): string =>
    `Hiện được nhiều nhất ${count(n)} phòng một lúc. Bấm tên phòng ở dòng thời gian để xem phòng khác.`,
  gaps: "Các đoạn gián đoạn",
  noGaps: "Không có gián đoạn nào.",
  gapRoom: "Phòng",
  gapCause: "Nguyên nhân",
  gapFrom: "Từ",
  gapTo: "Đến",
  gapLength: "Dài",
  seek: "Xem từ đây",
  alarms: "Cảnh báo trong lúc ghi",
  noAlarms: "Không có cảnh báo nào.",
  alarmCause: "Sự cố",
  alarmStands: "chưa hết",
  alarmFacts: "Số đo",
  perRoom: "Từng phòng",
  hashes: "Mã băm từng đoạn",
  hashesHint: "Kiểm tra lại bằng lệnh sha256sum trên chính các tệp này.",
  start: "Bắt đầu",
  length: "Dài",
  size: "Cỡ",
  frames: "Số hình",
  hash: "SHA-256",
  state: "Trạng thái",
  download: "Tải đoạn này",
  events: "Nhật ký",
  alarmCount: (n: number): string => (n === 0 ? "không cảnh báo" : `${count(n)} cảnh báo`),
  gapCount: (n: number): string => (n === 0 ? "không gián đoạn" : `${count(n)} lần gián đoạn`),
  hubCopyNow: "Bản thu tại trung tâm",
  lost: (who: string, when: string): string => `Thiết bị đã mất, theo xác nhận của ${who} lúc ${when}`,
  lostText:
    "Phần thiết bị chưa gửi về được thay bằng bản thu tại trung tâm: hình và tiếng như lúc truyền, trung tâm ký, không phải bản ghi của thiết bị.",
  lostFilling: "Đang ghép bản thu tại trung tâm vào phần còn thiếu.",
  lostAsk: "Thiết bị đã hỏng hoặc mất",
  lostTitle: (room: string): string => `Xác nhận thiết bị của ${room} không còn?`,
  lostExplain:
    "Chỉ xác nhận khi chắc chắn không lấy được bản ghi từ thiết bị nữa. Phần còn thiếu sẽ dùng bản thu tại trung tâm và được đánh dấu như vậy.",
  lostConfirm: "Xác nhận thiết bị đã mất",
  lostCancel: "Chờ thiết bị gửi tiếp",
};

export const HUB_COPY: Record<SegmentView["hub"], string> = {
  waiting: "Chờ về trung tâm",
  verified: "Đã kiểm tra tại trung tâm",
  refused: "Không khớp mã băm, đang lấy lại",
  damaged: "Đã hỏng tại phòng, có ghi nguyên nhân",
};

export const TIMELINE = {
  label: (rooms: number): string => `Dòng thời gian của ${count(rooms)} phòng`,
  cursor: "Vị trí xem",
  cursorAt: (time: string, into: string): string => `${time}, ${into} từ đầu`,
  zoomIn: "Phóng to",
  zoomOut: "Thu nhỏ",
  zoomAll: "Xem cả buổi",
  hint: "Bấm để nhảy tới. Lăn chuột hoặc phím + − để phóng to, thu nhỏ; phím mũi tên để dịch.",
  waiting: "còn ở phòng",
  hub: "tại trung tâm",
  province: "tại trung tâm và kho của tỉnh",
  refused: "đang lấy lại",
  hubCopy: "bản thu tại trung tâm",
  gap: "gián đoạn",
  legend: "Chú giải",
  rowSummary: (segments: number, gaps: number, copies: number): string =>
    `${count(segments)} đoạn${copies === 0 ? "" : `, ${count(copies)} đoạn từ bản thu tại trung tâm`}${gaps === 0 ? ", không gián đoạn" : `, ${count(gaps)} lần gián đoạn`}`,
};

export const POINTS = {
  title: "Điểm cầu",
  empty: "Chưa có điểm cầu nào",
  emptyText: "Điểm cầu được lập khi ghép thiết bị đầu tiên của phòng.",
  pair: "Ghép thiết bị",
  name: "Điểm cầu",
  box: "Thiết bị",
  seen: "Liên lạc gần nhất",
  version: "Phiên bản",
  filter: "Tìm điểm cầu",
  connected: "Đang nối",
  offline: "Chưa nối",
  noBox: "Chưa có thiết bị",
  now: "ngay lúc này",
  never: "chưa từng",
  revoke: "Thu hồi…",
  revokeOf: (point: string): string => `Thu hồi thiết bị của ${point}`,
  revokeTitle: (point: string): string => `Thu hồi thiết bị của ${point}?`,
  revokeText:
    "Thiết bị thôi được vào hệ thống ngay lập tức. Phần ghi chưa về trung tâm nằm lại trên thiết bị. Muốn dùng lại phải ghép từ đầu.",
  revokePending: (n: number): string => `Còn ${count(n)} đoạn chưa về trung tâm.`,
  revokeConfirm: "Thu hồi thiết bị",
  revokeCancel: "Không thu hồi",
  revoked: (point: string): string => `Đã thu hồi thiết bị của ${point}.`,
};

export const NOT_FOUND = {
  title: "Không có trang này",
  text: "Địa chỉ không đúng hoặc trang đã đổi chỗ.",
  home: "Về trang Hôm nay",
};
