/** All wording of the room's TV. Read from 4 m by people who did not come to learn a machine: short, one thing at a time. */

import type { NetworkTrouble, ResetRefusal } from "../../protocol/protocol.ts";

/** What keeps the box from its hub, and what a person in the room can do about it. */
export const NETWORK: Record<NetworkTrouble, { title: string; text: string }> = {
  noCable: {
    title: "Chưa cắm dây mạng",
    text: "Cắm dây mạng vào thiết bị cho đến khi nghe tiếng “tách”, đầu kia cắm vào ổ mạng của phòng.",
  },
  noAddress: {
    title: "Không có địa chỉ mạng",
    text: "Dây đã cắm nhưng mạng của phòng không cấp địa chỉ. Rút ra cắm lại; nếu vẫn vậy thì gọi cán bộ mạng hoặc dùng USB của trung tâm.",
  },
  noRouter: {
    title: "Mạng của phòng không có đường ra",
    text: "Thiết bị có địa chỉ nhưng không có cổng ra. Gọi cán bộ mạng hoặc nhà mạng.",
  },
  hubUnknown: {
    title: "Chưa biết trung tâm ở đâu",
    text: "Cắm USB do trung tâm làm vào thiết bị. Chưa có USB thì gọi trung tâm.",
  },
  noName: {
    title: "Không tìm thấy tên của trung tâm",
    text: "Mạng của phòng không biết tên máy chủ ghi ở dưới. Đọc tên đó cho trung tâm để kiểm tra lại.",
  },
  hubSilent: {
    title: "Không thấy trung tâm",
    text: "Mạng của phòng có, nhưng máy chủ ở trung tâm không trả lời. Gọi trung tâm; nếu nơi khác vẫn nối được thì gọi nhà mạng.",
  },
  clockWrong: {
    title: "Đồng hồ của thiết bị sai",
    text: "Cứ để thiết bị chạy vài phút cho đồng hồ tự chỉnh. Nếu vẫn vậy thì gọi phụ trách kỹ thuật thay pin đồng hồ.",
  },
};

export type TestItem = "camera" | "microphone" | "screen" | "line";
export const SELF_TEST: Record<TestItem, Record<"good" | "bad" | "unknown", string>> = {
  camera: {
    good: "Máy quay: đạt",
    bad: "Máy quay: không đạt. Cắm lại dây, mở nắp ống kính.",
    unknown: "Máy quay: đang thử",
  },
  microphone: {
    good: "Micrô: đạt",
    bad: "Micrô: không đạt. Cắm lại dây, bật nút micrô.",
    unknown: "Micrô: đang thử",
  },
  screen: {
    good: "Tivi: đạt",
    bad: "Tivi: không đạt. Chỉnh tivi về 1920×1080, 50 Hz hoặc 60 Hz.",
    unknown: "Tivi: đang thử",
  },
  line: {
    good: "Đường truyền: đạt",
    bad: "Đường truyền: không đạt. Cắm chặt dây mạng.",
    unknown: "Đường truyền: đang thử",
  },
};

/** An order on a stick to forget everything. */
export const ROOM_RESET: Record<ResetRefusal, { title: string; repair: string }> = {
  unreadable: { title: "Tệp đặt lại trên USB bị hỏng", repair: "Tạo lại tệp ở trung tâm và chép vào USB." },
  notPaired: { title: "Thiết bị này chưa ghép", repair: "Không có gì để đặt lại. Rút USB ra." },
  signature: { title: "Tệp đặt lại không phải của trung tâm này", repair: "Rút USB ra và gọi phụ trách kỹ thuật." },
  wrongBox: { title: "Tệp đặt lại dành cho thiết bị khác", repair: "Tạo tệp ở trung tâm cho đúng điểm cầu này." },
  outOfTime: { title: "Tệp đặt lại đã quá hạn", repair: "Tạo lại tệp ở trung tâm. Tệp chỉ dùng được trong 7 ngày." },
  recording: { title: "Thiết bị đang ghi, không đặt lại", repair: "Đợi hết buổi tiếp, rồi rút USB ra và cắm lại." },
  unsynced: {
    title: "Còn bản ghi chưa về trung tâm, không đặt lại",
    repair: "Để thiết bị nối mạng cho đến khi về hết, rồi rút USB ra và cắm lại.",
  },
};
export const ROOM_RESET_DONE = "Thiết bị đang xóa sạch để đặt lại. Rút USB ra, giữ nguyên dây điện.";

export const ROOM_STICK = {
  taken: "Đã nhận USB của trung tâm. Rút USB ra được rồi.",
  waiting: "Đã thấy USB. Thiết bị sẽ nhận khi buổi tiếp kết thúc.",
  otherHub: "USB này của trung tâm khác. Thiết bị đã ghép với trung tâm của mình nên không nhận.",
  more: (n: number): string => `Còn ${n} chỗ sai khác trong tệp.`,
};

export const ROOM = {
  agentAway: "Đang nối lại với thiết bị",
  agentAwayText: "Màn hình sẽ tự trở lại. Không cần bấm gì.",
  starting: "Đang khởi động",
  startingText: "Xin đợi trong giây lát.",
  connecting: "Đang tìm máy chủ ở trung tâm",
  connectingText: "Xin đợi trong giây lát.",
  hubUnreachable: "Chưa nối được với trung tâm",
  hubUnreachableText: "Cắm chặt dây mạng của thiết bị; nếu vẫn vậy thì gọi nhà mạng.",
  hubUnreachableSince: (when: string): string => `Từ ${when}, tự thử lại liên tục.`,
  wrongHub: "Máy chủ không đúng",
  wrongHubText: "Có máy lạ ở địa chỉ của trung tâm. Gọi phụ trách kỹ thuật, đừng làm gì thêm.",
  pairTitle: "Mã ghép của phòng này",
  pairText: "Gọi trung tâm và đọc mã này để ghép thiết bị.",
  pairPage: "Hoặc quét để mở trang ghép",
  selfTest: "Tự kiểm tra",
  selfTestOpen: "Thử thiết bị",
  selfTestClose: "Xong",
  pairRevoked: "Thiết bị đã bị thu hồi. Gọi trung tâm và đọc mã này để ghép lại.",
  pairOffline: "Đang mất đường truyền. Cắm chặt dây mạng rồi đọc mã.",
  pairExpires: (words: string): string => `Mã đổi sau ${words}`,
  spelled: (letters: string): string => `Mã ghép: ${letters}`,
  offlineRepair: "Cắm chặt dây mạng của thiết bị; nếu vẫn vậy thì gọi nhà mạng.",
  offlineRecording: "Không phải lỗi của người trực phòng. Thiết bị vẫn đang ghi tại chỗ, bản ghi tự về khi nối lại.",
  offlineIdle: "Không phải lỗi của người trực phòng. Buổi tiếp vẫn ghi được tại chỗ khi chưa có mạng.",
  picture: "Hình của phòng này",
  noPicture: "Chưa có hình của phòng",
  next: "Buổi tiếp sắp tới",
  now: "Buổi tiếp đang diễn ra",
  paused: "Buổi tiếp tạm dừng",
  pausedText: "Không ghi âm, ghi hình trong lúc này.",
  noNext: "Chưa có buổi tiếp nào",
  ready: "Phòng đã sẵn sàng",
  readyButSound: "Ghi được. Tiếng hai chiều chưa đạt.",
  readyText: "Không cần làm gì.",
  companionOpening: (name: string): string => `Đang mở trang họp ${name}…`,
  begunBySchedule: "Thiết bị tự bắt đầu ghi đúng giờ vì chưa nối được với trung tâm.",
  begunByHand: "Buổi này do phòng tự bắt đầu.",
  begin: "Bắt đầu ghi buổi này",
  beginAdHoc: "Bắt đầu ghi buổi tiếp tại phòng",
  beginSure: "Bấm lần nữa để bắt đầu ghi",
  end: "Kết thúc buổi này",
  endSure: "Bấm lần nữa để kết thúc",
  actLate: "Không còn làm được việc này nữa. Xem lại màn hình.",
  actFailed: "Chưa làm được. Xin bấm lại.",
  receiptOf: "Bản ghi buổi vừa rồi",
  receiptDone: "100 % tại trung tâm, mã băm khớp",
  receiptUnderway: (verified: number, all: number): string => `${verified}/${all} đoạn đã về trung tâm`,
  notRecording: "CHƯA GHI ÂM, GHI HÌNH",
  noRoom: (session: string, missing: string): string => `Thiếu ${missing} để ghi trọn buổi “${session}”`,
  others: (n: number): string => `và ${n} việc khác`,
  hub: "Trung tâm",
  address: "Thiết bị",
  mac: "Số máy",
  noAddress: "chưa có địa chỉ",
  hubNotKnown: "chưa biết",
  own: "Phòng này",
  speaking: "đang nói",
  isMuted: "tắt tiếng",
  handUp: "xin phát biểu",
  noPictureOf: (room: string): string => `Chưa có hình của ${room}`,
  blackPicture: "Hình tối đen. Tiếng vẫn nghe được.",
  linking: "Đang nối hình…",
  stalled: "Hình đang chậm, tự nối lại",
  cannotPlay: "Màn hình này không xem được hình trực tiếp",
  roomsIn: (n: number): string => `${n} phòng`,
  aloneTitle: "Chưa có phòng nào khác vào",
  aloneText: "Hình và tiếng của các phòng khác sẽ tự hiện ở đây.",
  watchers: (rooms: number, people: readonly string[]): string => {
    const named = people.slice(0, 2);
    const others = people.length - named.length;
    const parts = [rooms > 0 ? `${rooms} phòng` : "", ...named, others > 0 ? `${others} người khác` : ""];
    return `Đang theo dõi: ${parts.filter(Boolean).join(", ")}`;
  },
  nobodyWatches: "Không ai đang theo dõi",
  hand: "Giơ tay",
  handDown: "Hạ tay",
  askedTitle: "Đã giơ tay xin phát biểu",
  askedText: "Đã báo trung tâm. Xin đợi được mời.",
  mutedTitle: "Phòng đang bị tắt tiếng",
  mutedText: "Muốn nói thì bấm Giơ tay. Tiếng vẫn được ghi.",
  mutedWhy: (reason: string): string => `Lý do: ${reason}. Muốn nói thì bấm Giơ tay.`,
  standbyTitle: "Phòng đang chờ mời",
  standbyText: "Chưa ai nghe phòng này. Muốn nói thì bấm Giơ tay.",
  messageTitle: "Trung tâm nhắn",
  interruptedTitle: "Buổi tiếp đang gián đoạn",
  interruptedText: (reason: string | null): string =>
    `${reason ? `${reason}. ` : ""}Xin ở lại phòng. Việc ghi vẫn tiếp tục.`,
  pausedWhy: (reason: string): string => `Lý do: ${reason}.`,
  silentScreen: "Bấm một phím bất kỳ để nghe tiếng",
  tryTitle: "Nói thử một câu",
  tryHeard: "Micrô nghe rõ",
  trySilent: "Micrô chưa nghe thấy gì",
  tryQuiet: "Còn nhỏ, ngồi gần micrô hơn",
  tryMeter: "Độ to tại micrô",
  test: "Thử tiếng",
  testing: "Đang thử, xin giữ yên lặng",
  testGood: "Loa và micrô tốt",
  testNoSound: "Micrô không nghe thấy loa. Bật tivi to hơn rồi thử lại.",
  testNoMeter: "Chưa đo được tiếng. Đợi một phút rồi thử lại.",
};
