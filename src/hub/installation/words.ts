/** What the installer says, to the officer at the terminal. */

export class InstallError extends Error {
  override readonly name = "InstallError";
  readonly code: "refused" | "failed" | "rolledBack";
  constructor(code: InstallError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export const PURGE_WORDS = "XOÁ HẾT DỮ LIỆU";

export const words = {
  notUnderstood: (what: string) => `Không hiểu lệnh (${what}). Xem: diemcau-hub --help`,
  noFile: "Thiếu tên tệp sao lưu: diemcau-hub restore TỆP",
  finishing: "Việc đã bắt đầu thì phải làm cho xong; đợi lệnh tự kết thúc.",
  diskFull: (cause: string) =>
    `Ổ đĩa hết chỗ (${cause}). Dọn bớt rồi chạy lại; dữ liệu và phiên bản đang chạy không bị đụng tới.`,
  badConfig: (cause: string) => `Cấu hình sai: ${cause}`,
  incomplete: (what: string, root: string) =>
    `Bộ cài trong ${root} thiếu ${what}: giải nén lại gói; ở kho mã thì chạy scripts/setup demo.`,
  unknownRelease: (given: string) => `--debian: chỉ có 12 và 13 (đã cho: ${given}).`,
  noMirror: "Cấu hình apt của máy này không có nguồn gói Debian nào (main) để đóng gói.",
  badNumber: (name: string, text: string, most: number) => `${name}: "${text}" không phải số từ 1 đến ${most}.`,
  notInstalled: "Máy này chưa cài máy chủ trung tâm. Cài bằng: sudo scripts/install-hub",
  networkDisk: (path: string, type: string) =>
    `${path} nằm trên ổ mạng (${type}). Cơ sở dữ liệu và bản ghi phải ở ổ đĩa của chính máy này; kho mạng khai báo bằng --province.`,
  littleRoom: (path: string, freeGb: number, leastGb: number) =>
    `${path} chỉ còn trống ${freeGb.toFixed(1)} GB; cần ít nhất ${leastGb.toFixed(1)} GB. Dọn bớt rồi chạy lại.`,
  portTaken: (port: number) =>
    `Cổng ${port} đang có chương trình khác dùng (xem: ss -ltnp). Dừng chương trình đó, hoặc chọn cổng khác bằng --port.`,
  loopbackTaken: (port: number) =>
    `Cổng ${port} của 127.0.0.1 đang có chương trình khác dùng (xem: ss -ltnp). Dừng chương trình đó, hoặc đổi loopback.port trong /etc/diemcau-hub/hub.json.`,
  diskAway: (path: string) =>
    `${path} đã từng được dùng nhưng nay trống: ổ dữ liệu chưa được gắn? Gắn ổ rồi chạy lại. Nếu ổ đã hỏng hẳn: xoá /etc/diemcau-hub/data.json, cài lại và phục hồi từ bản sao lưu.`,
  sessionRuns: (names: readonly string[]) =>
    `Đang có buổi tiếp: ${names.join("; ")}. Đợi kết thúc rồi chạy lại, hoặc thêm --during-session.`,
  staging: (version: string) => `Chép phiên bản ${version} …`,
  sameVersion: (version: string) => `Phiên bản ${version} đã được cài; áp dụng lại cấu hình.`,
  rehearsing: "Chạy thử phiên bản mới trên bản sao của cơ sở dữ liệu …",
  rehearsalFailed: (reason: string) =>
    `Phiên bản mới không chạy được trên bản sao của cơ sở dữ liệu (${reason}). Không có gì thay đổi; phiên bản cũ vẫn chạy.`,
  backingUp: "Sao lưu trước khi nâng cấp …",
  cutOff: "Lần nâng cấp trước bị ngắt giữa chừng: xét xem bản ấy có chạy tốt không …",
  starting: "Khởi động …",
  notHealthy: (reason: string) => `Máy chủ không chạy tốt: ${reason}`,
  goingBack: (version: string, reason: string) => `Phiên bản mới không chạy tốt (${reason}). Quay lại ${version} …`,
  wentBack: (version: string) =>
    `Đã quay lại phiên bản ${version}; dữ liệu còn nguyên. Gửi nhật ký cho bên hỗ trợ: journalctl -u diemcau-hub --since -1h`,
  backFailed: (reason: string) =>
    `Phiên bản cũ cũng không chạy tốt (${reason}). Dữ liệu còn nguyên trong /var/lib/diemcau-hub. Xem: journalctl -u diemcau-hub`,
  journal: "Những dòng cuối của nhật ký (journalctl -u diemcau-hub):",
  dataKept: "Đã có dữ liệu của lần cài trước trong /var/lib/diemcau-hub: dùng tiếp, mật khẩu như cũ.",
  removed: (size: string) =>
    `Đã gỡ phần mềm. Dữ liệu (${size}) còn nguyên trong /var/lib/diemcau-hub, cấu hình trong /etc/diemcau-hub.\n` +
    "Cài lại thì dùng tiếp dữ liệu này. Muốn xoá cả: scripts/install-hub uninstall --purge-data trong bộ cài.",
  purgeAsk: (size: string) =>
    `Sẽ xoá ${size} trong /var/lib/diemcau-hub: mọi bản ghi, cơ sở dữ liệu và khoá; không lấy lại được.\n` +
    `Gõ ${PURGE_WORDS} để xoá: `,
  purgeRefused: "Chưa xoá gì: câu xác nhận không đúng.",
  purged: "Đã xoá dữ liệu, cấu hình và người dùng diemcau-hub.",
  notStarted: "chưa khởi động",
  noProcess: "không có tiến trình nào đang chạy",
  notSteady: "chạy được một lúc rồi lại dừng",
  notListening: "chưa mở cổng",
  otherVersion: (version: string) => `đang chạy phiên bản ${version}`,
  badAnswer: (what: string, status: number) => `${what} trả lời ${status}`,
  noAnswer: (port: number) => `cổng ${port} không trả lời`,
  clockOff: "đồng hồ CHƯA đồng bộ: khai báo máy chủ thời gian (NTP)",
} as const;
