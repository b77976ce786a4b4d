import { expect, test } from "vitest";
import { parseTcpQueues, tcpQueueKey } from "./tcp-queues.ts";

const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
 124: 0100007F:9424 0100007F:A343 01 0038F800:000114A8 01:00000014 00000000     0        0 2 2 0 20 4 30 10 -1
`;

test("the queues of a connection are found by its two ports", () => {
  expect(parseTcpQueues(text).get(tcpQueueKey(0x9424, 0xa343))).toEqual({
    sendBytes: 0x38f800,
    receiveBytes: 0x114a8,
  });
});

test("addresses of version 6 are read too, and of two connections with equal ports the fuller one counts", () => {
  const six =
    "   0: 0000000000000000FFFF00000100007F:9424 0000000000000000FFFF00000100007F:A343 01 00000001:00000000 00:0 0 0";
  const table = parseTcpQueues(`${text}${six}\n`);
  expect(table.get(tcpQueueKey(0x9424, 0xa343))?.sendBytes).toBe(0x38f800);
  expect(parseTcpQueues(`${six}\n`).get(tcpQueueKey(0x9424, 0xa343))?.sendBytes).toBe(1);
});
