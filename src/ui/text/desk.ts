import type { ErrorView } from "../../hub/http/views.ts";
import { count, duration } from "./format.ts";

/**
 * Wording of the desk, by page: glossary terms; buttons are verbs; errors say what happened, what it means, what to do.
 * Here: what every page has, the way in, and the first page.
 */

export const NAV = {
  label: "Các trang",
  today: "Hôm nay",
  rooms: "Phòng",
  sessions: "Buổi tiếp",
  recordings: "Bản ghi",
  points: "Điểm cầu",
  pairing: "Ghép thiết bị",
  releases: "Bản cập nhật",
  people: "Người dùng",
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
  stageConflict: {
    title: "Người khác vừa đổi bố cục hình",
    text: "Chưa có gì thay đổi theo lệnh này. Bố cục mới đã hiện trên trang; vẫn muốn đổi thì bấm lại.",
  },
  badStick: {
    title: "Chưa tạo được tệp cho USB",
    text: "Sửa các ô có dấu đỏ ở dưới rồi bấm lại.",
  },
  boxAway: {
    title: "Thiết bị không trả lời",
    text: "Chưa có gì bị xóa. Kiểm tra điện và dây mạng của phòng, hoặc tải tệp đặt lại cho USB.",
  },
  resetRefused: {
    title: "Thiết bị không nhận lệnh đặt lại",
    text: "Chưa có gì bị xóa. Lý do đã hiện trên trang.",
  },
  releaseRefused: {
    title: "Bản cập nhật bị từ chối",
    text: "Chưa có gì thay đổi ở các thiết bị. Lấy lại bản cập nhật từ nơi phát hành rồi thử lại.",
  },
  notAllowed: {
    title: "Tài khoản này không được làm việc đó",
    text: "Chưa có gì thay đổi. Nhờ người quản trị làm, hoặc đổi vai trò cho tài khoản.",
  },
  loginTaken: {
    title: "Tên đăng nhập đã có người dùng",
    text: "Chưa lập tài khoản. Chọn tên đăng nhập khác, hoặc mở lại tài khoản cũ trong danh sách.",
  },
  lastAdministrator: {
    title: "Phải còn ít nhất một người quản trị",
    text: "Chưa có gì thay đổi. Giao vai trò quản trị cho người khác trước.",
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

export const NOT_ALLOWED = {
  title: "Trang này dành cho vai trò khác",
  text: "Nhờ người quản trị làm giúp, hoặc đổi vai trò cho tài khoản.",
};

export const NOT_FOUND = {
  title: "Không có trang này",
  text: "Địa chỉ không đúng hoặc trang đã đổi chỗ.",
  home: "Về trang Hôm nay",
};
