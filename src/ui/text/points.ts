import type { ResetRefusal } from "../../protocol/protocol.ts";
import { count } from "./format.ts";

/** Wording of the points: list, one with its devices, revoking and resetting its box. */

export const POINTS = {
  title: "Điểm cầu",
  empty: "Chưa có điểm cầu nào",
  emptyText: "Điểm cầu được lập khi ghép thiết bị đầu tiên của phòng.",
  pair: "Ghép thiết bị",
  stick: "Làm USB cho thiết bị mới",
  name: "Điểm cầu",
  box: "Thiết bị",
  seen: "Liên lạc gần nhất",
  version: "Phiên bản",
  update: "Cập nhật",
  filter: "Tìm điểm cầu",
  connected: "Đang nối",
  offline: "Chưa nối",
  noBox: "Chưa có thiết bị",
  now: "ngay lúc này",
  never: "chưa từng",
  reset: "Đặt lại…",
  resetOf: (point: string): string => `Đặt lại thiết bị của ${point}`,
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

export const RESET = {
  title: (point: string): string => `Đặt lại thiết bị của ${point}?`,
  text: "Thiết bị xóa sạch mọi thứ đang giữ và trở lại như mới. Bản ghi đã về trung tâm vẫn còn. Muốn dùng lại phải ghép từ đầu.",
  away: "Thiết bị đang không nối với trung tâm nên không nhận lệnh được. Chép tệp này vào USB rồi cắm vào thiết bị; tệp chỉ dùng cho thiết bị này, trong 7 ngày.",
  loss: (n: number): string => `Sẽ mất ${count(n)} đoạn ghi chưa về trung tâm`,
  lossText: "Mất hẳn, không lấy lại được. Nên để thiết bị nối mạng cho đến khi về hết.",
  confirm: "Đặt lại thiết bị",
  confirmLoss: "Đặt lại và chịu mất",
  save: "Tải tệp đặt lại",
  cancel: "Không đặt lại",
  done: (point: string): string => `Thiết bị của ${point} đang tự xóa để trở lại như mới.`,
  saved: "Đã tải tệp đặt lại. Chép vào USB, giữ nguyên tên tệp, rồi cắm vào thiết bị.",
  refusals: {
    unreadable: "Thiết bị không hiểu lệnh này. Cần cập nhật thiết bị trước.",
    notPaired: "Thiết bị chưa ghép, không có gì để đặt lại.",
    signature: "Thiết bị không nhận lệnh vì chữ ký không đúng. Gọi phụ trách kỹ thuật.",
    wrongBox: "Lệnh dành cho thiết bị khác. Tải lại trang rồi thử lại.",
    outOfTime: "Đồng hồ của thiết bị lệch quá nhiều. Đợi vài phút rồi thử lại.",
    recording: "Thiết bị đang ghi hoặc vừa khởi động. Đợi hết buổi tiếp rồi thử lại.",
    unsynced: "Còn bản ghi chưa về trung tâm.",
  } satisfies Record<ResetRefusal, string>,
};

export const POINT = {
  lead: "Máy quay, micrô và ổ đĩa của phòng",
  missing: "Không có điểm cầu này",
  missingText: "Địa chỉ không đúng, hoặc điểm cầu không còn.",
  back: "Về trang Điểm cầu",
  heads: { cameras: "Máy quay", microphones: "Micrô" },
  none: { cameras: "Chưa cắm máy quay nào.", microphones: "Chưa cắm micrô nào." },
  device: "Tên",
  port: "Cổng",
  state: "Tình trạng",
  states: { inUse: "Đang dùng", ready: "Sẵn sàng", failed: "Không mở được", absent: "Không thấy" },
  prefer: "Ưu tiên dùng",
  preferOf: (name: string): string => `Ưu tiên dùng ${name}`,
  preferred: "Dùng trước hết",
  byItself: { cameras: "Để thiết bị tự chọn máy quay", microphones: "Để thiết bị tự chọn micrô" },
  done: (name: string): string => `Sẽ dùng ${name}. Nếu phòng đang ghi thì thiết bị đổi trong vòng 10 giây.`,
  doneByItself: "Thiết bị sẽ tự chọn.",
  away: "Thiết bị chưa nối: lựa chọn được giữ lại và gửi khi thiết bị nối lại.",
  unknown: "Thiết bị của phòng này không chọn máy quay và micrô từ những gì được cắm vào, hoặc chưa báo về.",
};

export const DISKS = {
  head: "Ổ đĩa ghi hình",
  lead: "Ổ đĩa chỉ mở được trên máy của nó. Máy hỏng thì lắp ổ đĩa sang máy khác, cắm USB có tệp mở khóa: máy mới chạy tiếp, không mất bản ghi nào.",
  none: "Trung tâm chưa giữ khóa ổ đĩa nào của điểm cầu này: máy không có TPM nên ổ đĩa không khóa, hoặc thiết bị chưa báo về.",
  unknown: "Chưa hỏi được trung tâm về ổ đĩa của điểm cầu này.",
  code: "Mã ổ đĩa",
  box: "Thiết bị",
  inUse: "Đang dùng",
  former: (day: string): string => `Cũ, thôi dùng ${day}`,
  kept: "Giữ khóa từ",
  save: "Tải tệp mở khóa…",
  saveOf: (code: string): string => `Tải tệp mở khóa ổ đĩa ${code}`,
  title: (code: string): string => `Tải tệp mở khóa ổ đĩa ${code}?`,
  text: "Cần khi tivi của phòng báo không mở được ổ đĩa ghi hình và đọc đúng mã này.",
  secret:
    "Ai có cả ổ đĩa lẫn tệp này thì xem được bản ghi. Xong việc phải xóa tệp khỏi USB và khỏi máy tính này. Nhật ký ghi lại ai đã tải.",
  confirm: "Tải tệp mở khóa",
  cancel: "Không tải",
  saved: (code: string): string =>
    `Đã tải tệp mở khóa ổ đĩa ${code}. Chép vào USB, giữ nguyên tên tệp, rồi cắm vào máy đang báo.`,
};
