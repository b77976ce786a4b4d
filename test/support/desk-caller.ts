import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { request as httpsRequest } from "node:https";
import type { ErrorView, RoomView, SessionView, UserView } from "../../src/hub/http/views.ts";

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  body: Buffer;
  /** The JSON body as what the path is known to answer. */
  user(): UserView;
  session(): SessionView;
  sessions(): SessionView[];
  rooms(): RoomView[];
  /** Of a refusal. */
  code: ErrorView["code"] | undefined;
}

export interface CallOptions {
  /** Text goes as it is, anything else as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
  /** Keep cookie and Origin away, as a stranger would. */
  bare?: boolean;
}

/** A browser as far as HTTP goes: keeps its cookie, sends its Origin, and shows each answer whole. */
export class DeskCaller {
  readonly base: string;
  cookie = "";
  readonly #ca: string | undefined;

  /** @param ca PEM, for https */
  constructor(base: string, ca?: string) {
    this.base = base;
    this.#ca = ca;
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const { body } = options;
    const text = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
    const headers: Record<string, string> = {
      ...(options.bare ? {} : { origin: this.base, cookie: this.cookie }),
      ...(text === undefined ? {} : { "content-type": "application/json" }),
      ...options.headers,
    };
    const answer = await new Promise<Answer>((resolve, reject) => {
      const send = this.base.startsWith("https:") ? httpsRequest : httpRequest;
      const request = send(`${this.base}${path}`, { method, headers, ca: this.#ca, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const body = Buffer.concat(chunks);
          const text = body.toString("utf8");
          const parse = (): unknown => JSON.parse(text);
          const status = response.statusCode!;
          const isJson = response.headers["content-type"]?.startsWith("application/json") ?? false;
          const code = status >= 400 && isJson ? (parse() as ErrorView).code : undefined;
          resolve({
            status,
            headers: response.headers,
            text,
            body,
            code,
            user: () => parse() as UserView,
            session: () => parse() as SessionView,
            sessions: () => parse() as SessionView[],
            rooms: () => parse() as RoomView[],
          });
        });
      });
      request.on("error", reject);
      request.setTimeout(10_000, () => request.destroy(new Error(`${method} ${path}: no answer`)));
      request.end(text);
    });
    const [set] = answer.headers["set-cookie"] ?? [];
    if (set !== undefined && !options.bare) this.cookie = set.split(";")[0]!;
    return answer;
  }

  get = (path: string, options?: CallOptions) => this.call("GET", path, options);
  post = (path: string, body?: unknown, options?: CallOptions) => this.call("POST", path, { ...options, body });

  /** Signs in with a one-time password and sets a lasting one. */
  async settle(oneTime: string, password: string): Promise<void> {
    await this.post("/api/sign-in", { login: "admin", password: oneTime });
    const changed = await this.post("/api/password", { current: oneTime, next: password });
    if (changed.status !== 200) throw new Error(changed.text);
  }
}
