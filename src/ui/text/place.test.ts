import { expect, test } from "vitest";
import { shortPlace } from "./place.ts";

test.each([
  ["Xã Tịnh Khê", "Xã Tịnh Khê"],
  ["Trung tâm Phục vụ hành chính công, Ủy ban nhân dân xã Sơn Tây Thượng", "Xã Sơn Tây Thượng"],
  ["Phòng tiếp công dân thứ hai, Ủy ban nhân dân phường Trương Quang Trọng", "Phường Trương Quang Trọng"],
  ["Sở Nông nghiệp và Môi trường tỉnh Quảng Ngãi", "Sở Nông nghiệp và Môi trường tỉnh Quảng Ngãi"],
  ["Hội trường lớn, nhà khách tỉnh Quảng Ngãi", "Hội trường lớn, nhà khách tỉnh Quảng Ngãi"],
])("%s is %s where there is little room", (name, short) => {
  expect(shortPlace(name)).toBe(short);
});
