const COMMUNE = /.*(?:^|[\s,–-])((?:xã|phường|đặc khu)\s.+)$/iu;

/**
 * The part of a room's name that tells it from others, for where there is room for one line only:
 * "Trung tâm Phục vụ hành chính công, Ủy ban nhân dân xã Sơn Tây" is "Xã Sơn Tây".
 */
export function shortPlace(name: string): string {
  const commune = COMMUNE.exec(name)?.[1] ?? name;
  return commune.charAt(0).toUpperCase() + commune.slice(1);
}
