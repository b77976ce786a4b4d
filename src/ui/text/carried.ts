import type { CarriedRefusal, CarriedRunView } from "../../hub/http/views.ts";
import { count, size } from "./format.ts";

/** Wording of recordings that people bring to the hub. */

export const CARRIED = {
  title: "Nhận bản ghi mang đến",
  lead: "Khi thiết bị của phòng hỏng hoặc đường truyền không dùng được, bản ghi còn trong ổ đĩa hay thẻ nhớ của thiết bị được mang về đây.",
  empty: (folder: string): string =>
    `Gắn ổ đĩa hoặc thẻ nhớ vào thư mục ${folder} trên máy chủ, hoặc chép thư mục bản ghi vào đó.`,
  found: (sessions: number, points: string[]): string =>
    [`${count(sessions)} buổi`, ...(points.length > 0 ? [points.join(", ")] : [])].join(", "),
  unreadable: "Máy chủ không có quyền đọc, hoặc ổ đĩa không đọc được. Gọi phụ trách kỹ thuật.",
  takeIn: "Nhận vào",
  takeInOf: (folder: string): string => `Nhận vào từ ${folder}`,
  running: (folder: string): string => `Đang nhận từ ${folder}`,
  sessions: (done: number, all: number): string => `${count(done)}/${count(all)} buổi`,
  waiting: "Ổ đĩa của máy chủ đã đầy, đang đợi có chỗ.",
  done: (folder: string): string => `Đã nhận xong từ ${folder}`,
  doneWithFaults: (folder: string): string => `Đã nhận từ ${folder}, còn thiếu`,
};

export const CARRIED_REFUSED: Record<CarriedRefusal, string> = {
  unknownBox: "không phải của thiết bị nào từng ghép với trung tâm này",
  recordsRefused: "chữ ký hoặc thứ tự không khớp, phần từ chỗ đó trở đi không nhận",
  unreadable: "ổ đĩa không đọc được",
};

/** What came of it, a sentence each. */
export function carriedFound({ taken, takenBytes, had, damaged, missing }: CarriedRunView): string[] {
  return [
    taken > 0 ? `Nhận mới ${count(taken)} đoạn, ${size(takenBytes)}; máy chủ đang kiểm lại từng đoạn.` : "",
    had > 0 ? `${count(had)} đoạn trung tâm đã có.` : "",
    damaged > 0 ? `${count(damaged)} đoạn hỏng, không đúng với chữ ký của thiết bị.` : "",
    missing > 0 ? `${count(missing)} đoạn không còn trên ổ đĩa này.` : "",
    taken + had + damaged + missing === 0 ? "Không có đoạn nào." : "",
  ].filter((words) => words !== "");
}
