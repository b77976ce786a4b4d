import type { Role } from "../../protocol/protocol.ts";
import type { AskWords } from "./control.ts";

/** Wording of the people who may sign in. */

export const PEOPLE = {
  title: "Người dùng",
  lead: "Mỗi người một tài khoản riêng: việc ai làm, bản ghi ai xem hay chép đều ghi tên người đó.",
  create: "Lập tài khoản",
  name: "Họ và tên",
  nameHint: "Hiện trong nhật ký và trên tivi các phòng khi đang xem, nghe.",
  login: "Tên đăng nhập",
  loginHint: "Chữ thường không dấu, số, dấu chấm. Ví dụ: nguyet.ttm",
  role: "Vai trò",
  missingName: "Cần nhập họ và tên.",
  wrongLogin: "Tên đăng nhập có 2 ký tự trở lên, chỉ gồm chữ thường không dấu, số, dấu chấm, gạch ngang.",
  submit: "Lập tài khoản",
  state: "Trạng thái",
  open: "Đang dùng",
  newPassword: "Chờ đặt mật khẩu",
  closed: "Đã khóa",
  you: "bạn",
  filter: "Tìm người dùng",
  rename: (name: string): string => `Vai trò của ${name}`,
  renameOf: (name: string): string => `Đổi tên của ${name}`,
  close: "Khóa…",
  closeOf: (name: string): string => `Khóa tài khoản của ${name}`,
  closeTitle: (name: string): string => `Khóa tài khoản của ${name}?`,
  closeText:
    "Người này bị đăng xuất ngay và không vào được nữa. Tên trong các nhật ký vẫn giữ nguyên; khi cần có thể mở lại.",
  closeConfirm: "Khóa tài khoản",
  cancel: "Không, quay lại",
  reopen: "Mở lại",
  reopenOf: (name: string): string => `Mở lại tài khoản của ${name}`,
  renew: "Mật khẩu mới…",
  renewOf: (name: string): string => `Cấp mật khẩu mới cho ${name}`,
  renewTitle: (name: string): string => `Cấp mật khẩu mới cho ${name}?`,
  renewText: "Mật khẩu đang dùng hết hiệu lực và người này bị đăng xuất ngay.",
  renewConfirm: "Cấp mật khẩu mới",
  password: (name: string): string => `Mật khẩu dùng một lần của ${name}`,
  passwordText: (login: string): string =>
    `Đưa cho người đó cùng tên đăng nhập ${login}. Lần đăng nhập đầu sẽ đặt mật khẩu riêng. Mật khẩu này chỉ hiện một lần.`,
  done: (name: string): string => `Đã lưu thay đổi của ${name}.`,
};

export const askName = (name: string): AskWords => ({
  title: `Đổi tên của ${name}?`,
  text: "Tên mới hiện từ nay về sau; những gì đã ghi trong nhật ký giữ nguyên tên cũ.",
  label: PEOPLE.name,
  choices: [],
  confirm: "Đổi tên",
});

export const ROLE_NAMES: Record<Role, string> = {
  observer: "Theo dõi",
  operator: "Điều hành",
  administrator: "Quản trị",
};

export const ROLE_TEXTS: Record<Role, string> = {
  observer: "Xem các phòng, buổi tiếp, nghe và xem lại bản ghi. Không thay đổi gì.",
  operator: "Như Theo dõi, và lập, điều hành buổi tiếp, kiểm thử, chép và nhận bản ghi.",
  administrator: "Như Điều hành, và quản lý thiết bị, bản cập nhật, người dùng.",
};
