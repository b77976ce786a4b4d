import type { SessionEventDetail, SessionEventView } from "../../hub/http/views.ts";
import type { LayoutMode } from "../../protocol/protocol.ts";
import { testDetail } from "./connection-tests.ts";
import { count } from "./format.ts";

/** Wording of the sessions: list, a new one, one with its log. */

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
  companionUrl: "Địa chỉ phòng họp trên hệ thống khác",
  companionHint:
    "Chỉ điền khi buổi tiếp diễn ra trên hệ thống họp khác (ví dụ VNPT GoMeet). Màn hình ở mỗi phòng tự mở trang này, và được ghi lại cùng với phòng.",
  companionName: "Tên hệ thống họp",
  companionNameHint: "Ví dụ: VNPT GoMeet.",
  wrongCompanion: "Địa chỉ phòng họp phải bắt đầu bằng https://",
  missingCompanionName: "Cần nhập tên hệ thống họp.",
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
  companion: (name: string): string => `Họp qua ${name}`,
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
  rememberedByRoom: "Phòng báo lại buổi tiếp này sau khi máy chủ được phục hồi từ bản sao lưu",
  alarmRaised: "Cảnh báo",
  alarmCleared: "Hết cảnh báo",
  layoutChanged: "Đổi bố cục hình",
  muted: "Tắt tiếng",
  unmuted: "Bật tiếng",
  calledUp: "Mời vào",
  sentToStandby: "Chuyển sang chờ mời",
  gainChanged: "Chỉnh âm lượng",
  handRaised: "Giơ tay xin phát biểu",
  handLowered: "Hạ tay",
  messageShown: "Hiện lời nhắn",
  messageTaken: "Gỡ lời nhắn",
  interrupted: "Gián đoạn",
  interruptionEnded: "Hết gián đoạn",
  marked: "Đánh dấu",
  tested: "Kiểm thử",
  testMissed: "Không kiểm thử được, máy chủ không hoạt động",
};

export const LAYOUT_MODES: Record<LayoutMode, string> = {
  spotlight: "một phòng chiếu lớn",
  grid: "lưới",
  auto: "tự động theo người nói",
};

/** What an act of the log was about, after its kind. */
export function eventDetail({ text, mode, onScreen, gainDb, test }: SessionEventDetail): string {
  const rooms = onScreen && onScreen.length > 0 ? `: ${onScreen.join(", ")}` : "";
  return [
    mode && `${LAYOUT_MODES[mode]}${rooms}`,
    gainDb !== undefined && `${String(gainDb).replace("-", "−").replace(".", ",")} dB`,
    test && testDetail(test),
    text !== undefined && `“${text}”`,
  ]
    .filter((part) => typeof part === "string")
    .join(", ");
}

/** Of a box that is newer than this program. */
export const UNKNOWN_CAUSE = "Sự cố khác";
export const EVENT_BY_SYSTEM = "hệ thống ghi nhận";
