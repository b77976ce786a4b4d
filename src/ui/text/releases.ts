import type { ReleaseView } from "../../hub/http/views.ts";
import type { ReleaseRefusal, UpdateFailure, UpdateState, UpdateWait } from "../../protocol/protocol.ts";
import { count } from "./format.ts";

/** Wording of the page of releases, and of each box's update. */
export const RELEASES = {
  title: "Bản cập nhật",
  lead: "Phần mềm của thiết bị điểm cầu. Không thiết bị nào được cập nhật trong buổi tiếp hoặc trong 2 giờ trước buổi tiếp.",
  empty: "Chưa có bản cập nhật nào",
  emptyText: "Chọn các tệp của một bản, hoặc chép cả thư mục của bản đó vào thư mục nhập trên máy chủ.",
  noKeys: "Máy chủ chưa có khóa của nơi phát hành",
  noKeysText:
    "Mọi bản cập nhật đều bị từ chối. Phụ trách kỹ thuật khai báo tệp khóa công khai ở mục releases.keys của cấu hình máy chủ.",
  choose: "Đưa lên bản cập nhật",
  browse: "Chọn tệp trên máy này",
  chooseHint: "Chọn tất cả tệp trong thư mục: release.json, release.json.sig và ba tệp hệ thống.",
  uploading: (part: number, whole: number): string => `Đang gửi lên: ${Math.floor((part / whole) * 100)} %`,
  onDisk: "Trong thư mục nhập của máy chủ",
  onDiskEmpty: (folder: string): string => `Chưa có bản nào trong ${folder}.`,
  import: "Nhập",
  importOf: (version: string): string => `Nhập bản ${version}`,
  refusedTitle: "Bản cập nhật bị từ chối",
  version: (version: string): string => `Bản ${version}`,
  hardware: (architecture: string, flavour: string): string =>
    `${architecture}, ${flavour === "screen" ? "có màn hình" : flavour === "headless" ? "không màn hình" : flavour}`,
  from: (minimum: string): string => `Cho thiết bị đang chạy từ bản ${minimum} trở lên`,
  added: (by: string, at: string): string => `${by} đưa lên, ${at}`,
  checked: "Chữ ký và mọi tệp đã được kiểm tra.",
  firstRing: "Thiết bị nhận trước",
  firstRingHint:
    "Các thiết bị khác nhận sau, khi những thiết bị này đã chạy tốt. Nên chọn phòng gần và sắp có buổi tiếp.",
  firstRingNone: "Chưa chọn thiết bị nào: tất cả sẽ nhận cùng lúc.",
  publish: "Phát hành",
  publishOf: (version: string): string => `Phát hành bản ${version}`,
  pause: "Tạm dừng",
  goOn: "Tiếp tục",
  retry: "Thử lại cả thiết bị đã quay lui",
  openToAll: "Phát cho tất cả ngay",
  heldTitle: (n: number): string => `Đã tự dừng: ${count(n)} thiết bị không chạy được bản này`,
  heldText: "Các thiết bị đó đã tự quay về bản cũ và vẫn ghi bình thường. Thiết bị khác chưa được nhận.",
  ring: (opened: boolean, first: number): string =>
    opened ? "Đang phát cho tất cả" : `Đang phát cho ${count(first)} thiết bị nhận trước`,
  reached: (n: number, all: number): string => `${count(n)} trong ${count(all)} thiết bị đã chạy bản này`,
  boxes: "Từng thiết bị",
  noBoxes: "Chưa thiết bị nào báo về phần mềm của mình.",
  point: "Điểm cầu",
  running: "Đang chạy",
  state: "Cập nhật",
  unknownReason: "lý do khác",
  failure: (point: string, reason: string): string => `${point}: ${reason}`,
};

export const RELEASE_STATES: Record<ReleaseView["state"], string> = {
  receiving: "Chưa phát hành",
  published: "Đang phát hành",
  paused: "Đang tạm dừng",
  held: "Tự dừng",
};

export const RELEASE_REFUSED: Record<ReleaseRefusal, string> = {
  unreadable: "Tệp release.json không đọc được. Tải lại bản cập nhật từ nơi phát hành.",
  unknownKey: "Bản này do một khóa lạ ký. Chỉ nhận bản từ nơi phát hành mà máy chủ tin cậy.",
  tampered: "Nội dung không đúng với chữ ký: tệp đã bị sửa hoặc bị hỏng. Tải lại từ nơi phát hành.",
  truncated: "Thiếu tệp, hoặc tệp bị cụt. Chép lại cho đủ rồi thử lại.",
  wrongHardware: "Bản này dành cho loại máy khác; ở đây không có thiết bị nào như vậy.",
  downgraded: "Bản này không mới hơn bản đang có. Không được quay về bản cũ bằng đường này.",
  tooOld: "Các thiết bị đang chạy bản quá cũ. Cập nhật lên bản trung gian trước.",
  noRoom: "Ổ đĩa của máy chủ không đủ chỗ. Dọn bớt rồi thử lại.",
};

export const UPDATE_STATES: Record<UpdateState, string> = {
  current: "Không có bản mới",
  downloading: "Đang tải về",
  waiting: "Đang chờ",
  installing: "Đang cài đặt",
  installed: "Đã cài, chờ khởi động lại",
  trial: "Đang chạy thử",
  healthy: "Chạy tốt",
  fellBack: "Đã quay về bản cũ",
  refused: "Thiết bị từ chối",
};

const WAITS: Record<UpdateWait, string> = {
  session: "đang có buổi tiếp",
  soon: "sắp có buổi tiếp trong 2 giờ",
  unproven: "cần ghi xong một buổi tiếp với bản đang chạy",
  offline: "mất liên lạc với trung tâm",
  line: "nhường đường truyền cho hình và tiếng",
  held: "bản này đang tạm dừng",
};

const FAILURES: Record<UpdateFailure, string> = {
  installFailed: "không ghi được vào ổ đĩa của thiết bị",
  didNotStart: "bản mới không khởi động được",
  nothingRecorded: "bản mới không ghi được hình",
  recordingIncomplete: "bản ghi thử thiếu hình hoặc tiếng",
  recordingDamaged: "bản ghi thử bị hỏng",
  cameraMissing: "bản mới không thấy máy quay",
  microphoneMissing: "bản mới không thấy micrô",
  agentSilent: "chương trình của bản mới không trả lời",
  trialFailed: "không chạy thử được",
};

const REASONS: Record<string, string> = { ...WAITS, ...FAILURES, ...RELEASE_REFUSED };

/** Of a box's reason, which may be one that only a newer box knows. */
export const updateReason = (reason: string): string => REASONS[reason] ?? RELEASES.unknownReason;
