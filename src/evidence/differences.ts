/** What can be wrong with a bag, each with its code; the words are Vietnamese because an inspector reads them. */
export type Difference = { code: DifferenceCode; path: string; detail?: string };

export type DifferenceCode =
  | "noBag"
  | "missing"
  | "changed"
  | "unlisted"
  | "manifestLine"
  | "tagManifestSignature"
  | "authorityNotExpected"
  | "certificate"
  | "boxKey"
  | "chainLine"
  | "chainBroken"
  | "chainSignature"
  | "countersignature"
  | "chainNotEnded"
  | "wrongPlace"
  | "recordFile"
  | "segmentDiffers"
  | "receipt"
  | "receiptSignature"
  | "segmentDamaged"
  | "takeMissing"
  | "boxLost"
  | "hubCopy";

const WORDS: Record<DifferenceCode, string> = {
  noBag: "không phải là hồ sơ BagIt đọc được",
  missing: "có trong danh mục nhưng không có tệp",
  changed: "nội dung đã khác so với danh mục",
  unlisted: "có tệp nhưng không có trong danh mục",
  manifestLine: "dòng trong danh mục không đọc được",
  tagManifestSignature: "chữ ký của trung tâm trên danh mục không đúng",
  authorityNotExpected: "chứng thư gốc không phải chứng thư mà trung tâm đã công bố",
  certificate: "chứng thư của thiết bị không do chứng thư gốc trong hồ sơ cấp",
  boxKey: "khóa công khai không khớp với chứng thư của thiết bị",
  chainLine: "dòng trong chuỗi bản ghi không đọc được",
  chainBroken: "chuỗi bản ghi bị đứt hoặc chữ ký của thiết bị không đúng",
  chainSignature: "chữ ký của trung tâm trên chuỗi bản ghi không đúng",
  countersignature: "chữ ký của trung tâm trên bản ghi không đúng",
  chainNotEnded: "chuỗi bản ghi không có bản ghi kết thúc",
  wrongPlace: "bản ghi nằm sai chỗ: thuộc buổi tiếp, điểm cầu hoặc lượt ghi khác",
  recordFile: "tệp bản ghi hoặc chữ ký khác với chuỗi bản ghi",
  segmentDiffers: "đoạn ghi khác với bản ghi mà thiết bị đã ký",
  receipt: "giấy biên nhận không nói về đúng đoạn ghi này",
  receiptSignature: "chữ ký của trung tâm trên giấy biên nhận không đúng",
  segmentDamaged: "đoạn ghi đã hỏng tại phòng; thiết bị đã ký bản ghi khoảng trống nói rõ điều này",
  takeMissing:
    "lượt ghi liền trước (cùng loại) của cùng thiết bị không có trong hồ sơ này (có thể thuộc buổi tiếp khác)",
  boxLost: "thiết bị đã mất trước khi gửi hết: phần này không có bản ghi của thiết bị",
  hubCopy: "bản thu tại trung tâm hoặc chữ ký của trung tâm trên lời khai kèm theo không đúng",
};

/**
 * Not a fault of the bag: the box's take before may belong to another session, and what is lost is stated, by the box
 * itself or, where the box is lost too, by the hub.
 */
export const isNote = ({ code }: Difference): boolean =>
  code === "takeMissing" || code === "segmentDamaged" || code === "boxLost";

/** One line for a person. */
export function inWords({ code, path, detail }: Difference): string {
  return `${path}: ${WORDS[code]}${detail === undefined ? "" : ` (${detail})`}`;
}

/** Lines around the differences. */
export const WORDS_OF_RESULT = {
  usage: "Cách dùng: node src/evidence/verify.ts <thư mục hồ sơ> [--ca-sha256 <dấu SHA-256 của chứng thư gốc>]",
  whole: "NGUYÊN VẸN",
  notWhole: "KHÔNG NGUYÊN VẸN",
  note: "Lưu ý",
  fault: "SAI",
  caFingerprint: "Dấu SHA-256 của chứng thư gốc (đối chiếu với dấu đã công bố)",
  hubKeySha256: "Dấu SHA-256 của khóa công khai của trung tâm (đối chiếu với dấu đã công bố)",
  hubCopies: (pieces: number) =>
    `${pieces} đoạn là bản thu tại trung tâm, thay cho phần mà thiết bị đã mất không gửi về được`,
  screenTakes: (takes: number) =>
    `${takes} lượt trong đó ghi màn hình của phòng (hệ thống họp khác), cùng lúc với phòng`,
  counted: (takes: number, segments: number, gaps: number, frames: number) =>
    `${takes} lượt ghi, ${segments} đoạn, ${frames} khung hình, ${gaps} khoảng trống có ghi nguyên nhân`,
} as const;
