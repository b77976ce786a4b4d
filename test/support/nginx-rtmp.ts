import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runChecked, startProcess } from "../../src/platform/platform.ts";
import { freePort } from "./free-port.ts";
import { until } from "./until.ts";

/** Debian's nginx with its RTMP module, one worker, application `live`: what benches compare the hub with. */
export interface NginxRtmp extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  /** The same behind nginx's own TLS, where a key was given. */
  readonly tlsPort: number | undefined;
}

const MODULES = "/usr/lib/nginx/modules";

/** State 0A of /proc/net/tcp is a listening socket. */
const listens = (port: number): boolean =>
  readFileSync("/proc/net/tcp", "utf8").includes(
    `:${port.toString(16).toUpperCase().padStart(4, "0")} 00000000:0000 0A`,
  );

export async function startNginxRtmp(
  directory: string,
  options: {
    tls?: { keyFile: string; certificateFile: string };
    /** Of what it sends; its own choice is 4096. */
    chunkBytes?: number;
    /** Words in front of its command. */
    under?: readonly string[];
  } = {},
): Promise<NginxRtmp> {
  const { tls, chunkBytes = 4_096, under = [] } = options;
  const port = await freePort();
  const tlsPort = tls ? await freePort() : undefined;
  const config = join(directory, "nginx.conf");
  const stream = tls
    ? `stream { access_log off; server {
  listen 127.0.0.1:${tlsPort} ssl; ssl_protocols TLSv1.3; proxy_timeout 1h; tcp_nodelay on;
  ssl_certificate ${tls.certificateFile}; ssl_certificate_key ${tls.keyFile}; proxy_pass 127.0.0.1:${port};
} }`
    : "";
  await writeFile(
    config,
    `${tls ? `load_module ${MODULES}/ngx_stream_module.so;` : ""}
load_module ${MODULES}/ngx_rtmp_module.so;
daemon off; master_process off; worker_processes 1;
pid ${directory}/nginx.pid; error_log ${directory}/nginx.log error;
events { worker_connections 4096; }
rtmp { access_log off; server { listen 127.0.0.1:${port}; chunk_size ${chunkBytes}; application live { live on; } } }
${stream}
`,
  );
  const argv = [...under, "nginx", "-c", config, "-p", directory];
  const child = await startProcess(argv, { stdio: ["ignore", "inherit", "inherit"] });
  await until("nginx listens", () => listens(port) && (tlsPort === undefined || listens(tlsPort)));
  return { pid: child.pid, port, tlsPort, [Symbol.asyncDispose]: async () => void (await child.stop(5_000)) };
}

export async function nginxVersion(): Promise<string> {
  const { stderr } = await runChecked(["nginx", "-v"]);
  return stderr.replace("nginx version: ", "").trim();
}
