/** What a person at the terminal is told. */
export interface Greeting {
  loopbackPort: number;
  tlsPort: number;
  hostNames: readonly string[];
  /** SHA-256 of the authority's certificate, `AB:CD:…`. */
  caFingerprint: string;
  administrator: { login: string; password: string } | undefined;
}

const urlHost = (name: string): string => (name.includes(":") ? `[${name}]` : name);

/** One block of text for standard output, at the start; the one-time password is in it once in the hub's life. */
export function greeting({ loopbackPort, tlsPort, hostNames, caFingerprint, administrator }: Greeting): string {
  const lines = [
    "Điểm Cầu: máy chủ trung tâm đã chạy.",
    `  Bàn điều hành trên máy này:  http://127.0.0.1:${loopbackPort}`,
    `  Bàn điều hành trong mạng:    ${hostNames.map((name) => `https://${urlHost(name)}:${tlsPort}`).join("  ")}`,
    `  Cổng cho các thiết bị:       ${tlsPort}`,
    `  Dấu vân tay chứng thư gốc:   ${caFingerprint}`,
  ];
  if (administrator) lines.push(...oneTimeLines(administrator));
  return `${lines.join("\n")}\n`;
}

/** After --reset-administrator. */
export const resetNotice = (administrator: { login: string; password: string }): string =>
  `${oneTimeLines(administrator).join("\n")}\n`;

const oneTimeLines = ({ login, password }: { login: string; password: string }): string[] => [
  `  Tên đăng nhập:               ${login}`,
  `  Mật khẩu dùng một lần:       ${password}   (chỉ hiện lần này; phải đổi khi đăng nhập)`,
];
