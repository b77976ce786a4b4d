import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, createSecureContext, type SecureContext } from "node:tls";

/** Where a load process connects to, on 127.0.0.1; PEM texts. */
export interface Target {
  port: number;
  tls?: { servername: string; caPem: string; alpn?: string; keyPem?: string; certificatePem?: string };
}

const contexts = new WeakMap<NonNullable<Target["tls"]>, SecureContext>();

function contextOf(tls: NonNullable<Target["tls"]>): SecureContext {
  const { caPem, keyPem, certificatePem } = tls;
  const context =
    contexts.get(tls) ?? createSecureContext({ ca: caPem, ...(keyPem && { key: keyPem, cert: certificatePem }) });
  contexts.set(tls, context);
  return context;
}

/** An open connection; its end is told to `onGone`, once. */
export async function openTo(target: Target, onGone: (why: string) => void): Promise<Socket> {
  const { port, tls } = target;
  const tcp = connectTcp({ port, host: "127.0.0.1", noDelay: true });
  const socket = tls
    ? connectTls({
        socket: tcp,
        servername: tls.servername,
        secureContext: contextOf(tls),
        ...(tls.alpn && { ALPNProtocols: [tls.alpn] }),
      })
    : tcp;
  await once(socket, tls ? "secureConnect" : "connect");
  let why = "closed";
  socket.on("error", (error) => (why = error.message));
  socket.once("close", () => onGone(why));
  return socket;
}
