import type { SegmentView } from "../../hub/http/views.ts";
import { count, shortDate, size } from "./format.ts";

/** Wording of the recordings: list, one with its player, and where its copies are. */

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
  reread: (at: string): string => `Đọc lại lần cuối ngày ${shortDate(at)}, vẫn khớp`,
  refused: (n: number): string => `${count(n)} đoạn không khớp mã băm, đang lấy lại từ phòng hoặc từ kho của tỉnh`,
  underway: "Đang về",
  onlyRoom: "Mới có tại phòng",
  complete: "Đã về đủ",
  hubComplete: "100 % tại trung tâm, mã băm khớp",
  none: "Chưa có bản ghi",
};

export const COPY = {
  head: "Chép ra ổ đĩa ngoài",
  text: "Một tệp ZIP gồm trọn bộ hồ sơ của buổi tiếp: bản ghi gốc, bản xem, chữ ký và hướng dẫn kiểm tra. Chọn nơi lưu là ổ đĩa ngoài, hoặc tải về rồi ghi đĩa. Khi đang có buổi tiếp thì tải chậm lại.",
  proof:
    "Từng tệp được đối chiếu mã băm ngay khi tải: tải được đến hết nghĩa là bản sao đúng. Nhật ký ghi lại ai đã chép.",
  save: "Tải trọn bộ",
  begun: (bytes: number): string => `Trình duyệt đang tải ${size(bytes)}`,
  begunText:
    "Nếu tải không đến hết thì đã có tệp không còn khớp; trung tâm tự lấy lại tệp đó, khi trang báo đủ 100 % thì tải lại.",
  notWhole: "Hồ sơ đang được hoàn tất",
  notWholeText: "Đợi vài phút rồi thử lại. Nếu bản ghi chưa về đủ 100 % thì đợi cho về đủ.",
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
  keys: "Phím tắt: dấu cách phát hoặc dừng, ← → một giây, dấu phẩy và dấu chấm một hình, Shift với ← → tới mốc trước hoặc mốc sau.",
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
  screenOf: (room: string): string => `${room}: màn hình họp`,
  screenCount: (segments: number, gaps: number): string =>
    segments === 0
      ? "màn hình họp chưa có bản ghi"
      : `màn hình họp ${count(segments)} đoạn${gaps === 0 ? "" : `, ${count(gaps)} lần gián đoạn`}`,
  lost: (who: string, when: string): string => `Thiết bị đã mất, theo xác nhận của ${who} lúc ${when}`,
  lostText:
    "Phần thiết bị chưa gửi về được thay bằng bản thu tại trung tâm: hình và tiếng như lúc truyền, trung tâm ký, không phải bản ghi của thiết bị.",
  lostFilling: "Đang ghép bản thu tại trung tâm vào phần còn thiếu.",
  lostAsk: "Thiết bị đã hỏng hoặc mất",
  lostTitle: (room: string): string => `Xác nhận thiết bị của ${room} không còn?`,
  lostExplain:
    "Chỉ xác nhận khi chắc chắn không lấy được bản ghi từ thiết bị nữa; máy hỏng mà ổ đĩa còn tốt thì lắp ổ đĩa sang máy khác là lấy được. Phần còn thiếu sẽ dùng bản thu tại trung tâm và được đánh dấu như vậy.",
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
