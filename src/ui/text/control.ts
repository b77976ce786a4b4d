import type { LayoutMode } from "../../protocol/protocol.ts";
import { count } from "./format.ts";

/** Wording of the control desk: what an operator does while a session runs. */

export const CONTROL = {
  title: "Điều khiển",
  layout: "Bố cục hình trên tivi các phòng",
  layouts: {
    auto: "Tự động theo người nói",
    spotlight: "Một phòng chiếu lớn",
    grid: "Lưới",
  } satisfies Record<LayoutMode, string>,
  layoutBy: (who: string | null, when: string): string => (who ? `${who} chọn lúc ${when}` : ""),
  conflict: (who: string | null, when: string): string => `${who ?? "Hệ thống"} vừa đổi bố cục lúc ${when}`,
  conflictText: "Lệnh của anh, chị chưa được thực hiện. Bố cục mới đã hiện ở dưới; vẫn muốn đổi thì bấm lại.",
  onScreen: "Chiếu lớn",
  show: "Chiếu lớn",
  mute: "Tắt tiếng",
  unmute: "Bật tiếng",
  callUp: "Mời vào",
  standBy: "Cho chờ",
  waiting: "Chờ mời",
  muted: "Tắt tiếng",
  mutedBy: (who: string | null, when: string): string => `${who ?? "Hệ thống"} tắt tiếng lúc ${when}`,
  hand: "Xin phát biểu",
  hands: "Đang xin phát biểu",
  handFor: (words: string): string => `đã ${words}`,
  lowerHand: "Hạ tay",
  gain: "Âm lượng ở các phòng khác",
  gainWords: (db: number): string => (db === 0 ? "bình thường" : `nhỏ hơn ${Math.round(-db)} dB`),
  message: "Nhắn lên tivi",
  messageTake: "Gỡ lời nhắn",
  messageNow: "Đang hiện trên tivi của phòng:",
  hear: "Nghe buổi tiếp",
  interrupt: "Ghi nhận gián đoạn",
  interruptEnd: "Hết gián đoạn",
  interrupted: (when: string): string => `Gián đoạn từ ${when}`,
  mark: "Đánh dấu",
  watchers: "Đang theo dõi",
  watchersText: (people: readonly string[], rooms: number): string =>
    [...people, rooms > 0 ? `${count(rooms)} phòng` : ""].filter(Boolean).join(", ") || "chưa có ai",
};

interface AskWords {
  title: string;
  text: string;
  label: string;
  /** One press each: nobody types what can be chosen. */
  choices: string[];
  confirm: string;
}

export const ASK = {
  cancel: "Không, quay lại",
  or: "Chọn sẵn",
  missing: "Cần chọn hoặc nhập.",
};

export const ASK_PAUSE: AskWords = {
  title: "Tạm dừng buổi tiếp?",
  text: "Các phòng thôi ghi và thôi nghe nhau cho đến khi bấm Tiếp tục.",
  label: "Lý do",
  choices: ["Nghỉ giải lao", "Hội ý riêng", "Công dân ra ngoài", "Chờ thêm tài liệu"],
  confirm: "Tạm dừng",
};
export const ASK_INTERRUPTION: AskWords = {
  title: "Ghi nhận gián đoạn",
  text: "Được ghi vào nhật ký và hiện trên tivi các phòng. Việc ghi vẫn tiếp tục.",
  label: "Lý do",
  choices: ["Mất đường truyền một phòng", "Mất điện một phòng", "Không nghe rõ tiếng", "Công dân mất trật tự"],
  confirm: "Ghi nhận",
};
export const ASK_MARK: AskWords = {
  title: "Đánh dấu lúc này",
  text: "Dấu được ghi vào nhật ký và hiện trên dòng thời gian của bản ghi.",
  label: "Tên dấu",
  choices: ["Công dân trình bày", "Ý kiến của cơ quan", "Kết luận của người chủ trì", "Cam kết thời hạn"],
  confirm: "Đánh dấu",
};
export const askMute = (room: string): AskWords => ({
  title: `Tắt tiếng ${room}?`,
  text: "Các phòng khác thôi nghe phòng này. Tiếng của phòng vẫn được ghi.",
  label: "Lý do hiện trên tivi của phòng",
  choices: ["Có tiếng ồn trong phòng", "Tiếng bị vọng", "Chưa đến lượt phát biểu"],
  confirm: "Tắt tiếng",
});
export const askMessage = (room: string): AskWords => ({
  title: `Nhắn lên tivi của ${room}`,
  text: "Lời nhắn hiện trên tivi cho đến khi được gỡ.",
  label: "Lời nhắn",
  choices: ["Xin ngồi gần micrô hơn", "Xin bật thêm đèn", "Sắp đến lượt phòng mình", "Xin giữ trật tự"],
  confirm: "Hiện lời nhắn",
});
export type { AskWords };
