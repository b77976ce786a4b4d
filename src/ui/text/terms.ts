import {
  missedDevice,
  type GapCause,
  type Health,
  type Lamp,
  type PointRole,
  type SessionState,
  type Track,
  type Trouble,
} from "../../protocol/protocol.ts";

/** Words that the desk and the room screen share, so that both places speak of one thing by one name. */

export const PRODUCT = "Điểm Cầu";
export const PRODUCT_LONG = "Tiếp công dân trực tuyến";

type LampName = "picture" | "sound" | "link";

export const LAMP_NAMES: Record<LampName, string> = { picture: "Hình", sound: "Tiếng", link: "Đường truyền" };

/** The whole statement of a lamp, for screen readers and wherever there is room. */
export const LAMP_WORDS: Record<LampName, Record<Lamp, string>> = {
  picture: { ok: "Hình tốt", warn: "Hình cần xem lại", bad: "Mất hình", unknown: "Chưa rõ hình" },
  sound: { ok: "Tiếng tốt", warn: "Tiếng cần xem lại", bad: "Mất tiếng", unknown: "Chưa rõ tiếng" },
  link: {
    ok: "Đường truyền tốt",
    warn: "Đường truyền chậm",
    bad: "Mất đường truyền",
    unknown: "Chưa rõ đường truyền",
  },
};

export interface TroubleWords {
  /** What is wrong, in a few words. */
  title: string;
  /** One sentence that a cleaner could follow. */
  repair: string;
  /** What it means for the recording, and whose fault it is not. */
  comfort: string;
}

export const TROUBLES: Record<Trouble, TroubleWords> = {
  identityTwin: {
    title: "Hai thiết bị mang cùng danh tính",
    repair: "Rút phích điện thiết bị thừa; không tìm thấy thì gọi phụ trách kỹ thuật.",
    comfort: "Không phải lỗi của người trực phòng. Bản ghi vẫn về đủ.",
  },
  offline: {
    title: "Mất kết nối",
    repair: "Xem đèn thiết bị có sáng và dây mạng đã cắm chặt chưa; nếu cả hai đều tốt thì gọi nhà mạng.",
    comfort: "Không phải lỗi của người trực phòng. Thiết bị còn điện thì vẫn ghi tại chỗ, bản ghi tự về khi nối lại.",
  },
  identityDamaged: {
    title: "Trung tâm không nhận ra thiết bị",
    repair: "Người quản trị thu hồi thiết bị, rồi ghép lại bằng mã hiện trên màn hình phòng.",
    comfort: "Không phải lỗi của người trực phòng. Bản ghi còn nguyên trên thiết bị.",
  },
  encoderFailed: {
    title: "Thiết bị không lấy được hình và tiếng",
    repair: "Rút phích điện của thiết bị, đợi 10 giây rồi cắm lại.",
    comfort: "Không phải lỗi của người trực phòng. Phần đã ghi vẫn còn nguyên.",
  },
  encoderSlow: {
    title: "Thiết bị chạy chậm",
    repair: "Dời đồ vật che khe gió của thiết bị; nếu 10 phút sau vẫn chậm thì báo phụ trách kỹ thuật.",
    comfort: "Thiết bị quá tải, đường truyền không có lỗi. Việc ghi vẫn tiếp tục.",
  },
  cameraNone: {
    title: "Không thấy máy quay",
    repair: "Rút dây máy quay khỏi thiết bị rồi cắm lại thật chặt.",
    comfort: "Đường truyền không có lỗi. Chưa ghi được hình cho đến khi máy quay được cắm lại.",
  },
  pictureBlack: {
    title: "Hình tối đen",
    repair: "Mở nắp ống kính máy quay và bật đèn trong phòng.",
    comfort: "Thiết bị và đường truyền không có lỗi. Tiếng vẫn được ghi.",
  },
  pictureFrozen: {
    title: "Hình đứng yên",
    repair: "Rút dây máy quay khỏi thiết bị, đợi 5 giây rồi cắm lại.",
    comfort: "Đường truyền không có lỗi. Tiếng vẫn được ghi.",
  },
  pictureDark: {
    title: "Hình quá tối",
    repair: "Bật thêm đèn và kéo rèm để ánh sáng chiếu vào mặt người nói, không chiếu vào máy quay.",
    comfort: "Thiết bị và đường truyền không có lỗi. Hình và tiếng vẫn được ghi.",
  },
  cameraSpare: {
    title: "Đang dùng máy quay dự phòng",
    repair: "Cắm lại thật chặt máy quay thường dùng; thiết bị tự chuyển về sau vài giây.",
    comfort: "Đường truyền không có lỗi. Hình vẫn được ghi bằng máy quay dự phòng.",
  },
  microphoneSpare: {
    title: "Đang dùng micrô dự phòng",
    repair: "Cắm lại thật chặt micrô thường dùng; thiết bị tự chuyển về sau vài giây.",
    comfort: "Đường truyền không có lỗi. Tiếng vẫn được ghi bằng micrô dự phòng.",
  },
  microphoneNone: {
    title: "Không thấy micrô",
    repair: "Rút dây micrô khỏi thiết bị rồi cắm lại thật chặt.",
    comfort: "Đường truyền không có lỗi. Chưa ghi được tiếng cho đến khi micrô được cắm lại.",
  },
  soundSilent: {
    title: "Không có tiếng",
    repair: "Bật công tắc trên micrô rồi nói thử một câu.",
    comfort: "Thiết bị và đường truyền không có lỗi. Hình vẫn được ghi.",
  },
  soundClipping: {
    title: "Tiếng quá to, bị rè",
    repair: "Đặt micrô xa người nói thêm một gang tay.",
    comfort: "Thiết bị và đường truyền không có lỗi. Việc ghi vẫn tiếp tục.",
  },
  soundHum: {
    title: "Tiếng có tiếng ù điện",
    repair: "Dời micrô và dây micrô ra xa ổ cắm, bộ nguồn; nếu vẫn ù thì cắm micrô sang cổng khác.",
    comfort: "Thiết bị và đường truyền không có lỗi. Việc ghi vẫn tiếp tục.",
  },
  soundNoSpeech: {
    title: "Lâu rồi không nghe tiếng nói",
    repair: "Nếu đang có người nói thì đặt micrô gần người nói hơn; nếu phòng đang nghỉ thì chưa cần làm gì.",
    comfort: "Thiết bị và đường truyền không có lỗi. Việc ghi vẫn tiếp tục.",
  },
  avOffset: {
    title: "Tiếng và hình lệch nhau",
    repair: "Rút dây máy quay và dây micrô, đợi 5 giây rồi cắm lại từng dây.",
    comfort: "Không phải lỗi của người trực phòng. Hình và tiếng vẫn được ghi.",
  },
  echoOpen: {
    title: "Chưa khử được tiếng vọng",
    repair: "Vặn nhỏ loa của phòng và đặt micrô xa loa; khởi động lại thiết bị sau buổi tiếp.",
    comfort: "Bản ghi không bị ảnh hưởng. Chỉ phòng khác có thể nghe lại tiếng của chính mình.",
  },
  screenNotRecording: {
    title: "Chưa ghi được màn hình họp",
    repair: "Chưa cần làm gì, thiết bị đang mở lại trang họp; nếu quá 2 phút thì gọi phụ trách kỹ thuật.",
    comfort: "Không phải lỗi của người trực phòng. Hình và tiếng trong phòng vẫn được ghi.",
  },
  frameRateLow: {
    title: "Bản ghi thiếu hình",
    repair: "Bật thêm đèn và cắm máy quay thẳng vào thiết bị, không qua bộ chia cổng.",
    comfort: "Đường truyền không có lỗi. Tiếng vẫn được ghi đủ.",
  },
  fileUnchecked: {
    title: "Chưa kiểm được bản ghi",
    repair: "Nhìn hình và nghe tiếng của phòng; nếu quá 5 phút thì báo phụ trách kỹ thuật.",
    comfort: "Không phải lỗi của người trực phòng. Việc ghi vẫn tiếp tục, chỉ phần tự kiểm chưa chạy.",
  },
  notRecording: {
    title: "Chưa ghi được",
    repair: "Rút phích điện của thiết bị, đợi 10 giây rồi cắm lại; nếu vẫn chưa ghi thì gọi phụ trách kỹ thuật.",
    comfort: "Không phải lỗi của người trực phòng. Phần đã ghi vẫn còn nguyên.",
  },
  liveDown: {
    title: "Hình chưa về trung tâm",
    repair: "Chưa cần làm gì; nếu quá 5 phút thì rút dây mạng của thiết bị rồi cắm lại.",
    comfort: "Đường truyền chậm, không phải lỗi của người trực phòng. Việc ghi tại phòng không bị ảnh hưởng.",
  },
  diskFull: {
    title: "Ổ đĩa của thiết bị đầy hoặc hỏng",
    repair: "Cứ để thiết bị bật và gọi phụ trách kỹ thuật ngay.",
    comfort: "Không phải lỗi của người trực phòng. Phần đã ghi còn nguyên; có chỗ là thiết bị tự ghi tiếp.",
  },
  diskFailing: {
    title: "Ổ đĩa của thiết bị sắp hỏng",
    repair: "Cứ để thiết bị bật và gọi phụ trách kỹ thuật thay ổ đĩa ngay.",
    comfort: "Không phải lỗi của người trực phòng. Phần đã ghi vẫn được gửi về trung tâm.",
  },
  diskWorn: {
    title: "Ổ đĩa của thiết bị đã cũ",
    repair: "Báo phụ trách kỹ thuật để thay ổ đĩa trong đợt bảo trì tới.",
    comfort: "Chưa ảnh hưởng gì: việc ghi vẫn bình thường.",
  },
  batteryEmpty: {
    title: "Pin đồng hồ của thiết bị đã hết",
    repair: "Báo phụ trách kỹ thuật để thay pin đồng hồ trong đợt bảo trì tới.",
    comfort: "Thiết bị lấy giờ từ trung tâm, giờ trong bản ghi vẫn đúng.",
  },
  lineSmall: {
    title: "Đường truyền chậm: đang gửi hình nhỏ",
    repair: "Tắt bớt máy khác đang dùng chung mạng với phòng; nếu vẫn chậm thì gọi nhà mạng.",
    comfort: "Không phải lỗi của người trực phòng. Thiết bị vẫn ghi đủ hình và tiếng.",
  },
  lineSound: {
    title: "Đường truyền rất chậm: chỉ gửi tiếng",
    repair: "Tắt bớt máy khác đang dùng chung mạng với phòng; nếu vẫn chậm thì gọi nhà mạng.",
    comfort: "Không phải lỗi của người trực phòng. Thiết bị vẫn ghi đủ hình và tiếng.",
  },
  diskLow: {
    title: "Ổ đĩa không đủ chỗ ghi trọn buổi tiếp",
    repair: "Cứ để thiết bị bật và báo phụ trách kỹ thuật trước buổi tiếp.",
    comfort: "Không phải lỗi của người trực phòng. Bản ghi chưa đủ hai nơi giữ thì thiết bị không xóa.",
  },
  secondMediumLost: {
    title: "Không ghi được vào ổ thứ hai",
    repair: "Rút ổ (hoặc thẻ nhớ) thứ hai khỏi thiết bị rồi cắm lại; nếu vẫn vậy thì báo phụ trách kỹ thuật.",
    comfort: "Không phải lỗi của người trực phòng. Việc ghi vào ổ chính vẫn tiếp tục.",
  },
  syncBehind: {
    title: "Bản ghi về trung tâm chậm",
    repair: "Cứ để thiết bị bật, bản ghi sẽ tự về.",
    comfort: "Đường truyền của phòng chậm, không phải lỗi của người trực phòng. Bản ghi tại phòng vẫn đủ.",
  },
};

/** What is wrong in this room: where it is about a device, with its name. */
export function troubleWords(trouble: Trouble, health: Health | null): TroubleWords {
  const words = TROUBLES[trouble];
  const ofCamera = trouble === "cameraNone" || trouble === "cameraSpare";
  const ofMicrophone = trouble === "microphoneNone" || trouble === "microphoneSpare";
  const missed = missedDevice(ofCamera ? health?.devices?.cameras : ofMicrophone ? health?.devices?.microphones : []);
  return missed ? { ...words, title: `${words.title}: ${missed.name}` } : words;
}

/** What an alarm is about; undefined for a cause that only a newer box knows. */
export const alarmTitle = (cause: string): string | undefined =>
  cause in TROUBLES ? TROUBLES[cause as Trouble].title : undefined;

export const SESSION_STATES: Record<SessionState, string> = {
  draft: "Chưa bắt đầu",
  live: "Đang diễn ra",
  paused: "Tạm dừng",
  ended: "Đã kết thúc",
};

export const ROLES: Record<PointRole, string> = {
  central: "Điểm cầu trung tâm",
  delegate: "Điểm cầu đại biểu",
};

const GAP_CAUSES: Record<GapCause, string> = {
  starting: "Chờ thiết bị bắt đầu ghi",
  paused: "Tạm dừng theo lệnh",
  encoderDied: "Bộ ghi bị ngắt",
  encoderStalled: "Bộ ghi bị đứng",
  agentDied: "Thiết bị khởi động lại phần mềm",
  powerLost: "Mất điện",
  deviceLost: "Mất máy quay hoặc micrô",
  deviceChanged: "Đổi máy quay hoặc micrô",
  mediumFailed: "Ổ đĩa hỏng, ghi tiếp sang ổ thứ hai",
  segmentDamaged: "Đoạn ghi bị hỏng",
  framesMissing: "Thiếu hình trong lúc ghi",
  unknown: "Chưa rõ nguyên nhân",
};

/** What a cause means where the screen was recorded and not the room. */
const SCREEN_GAP_CAUSES: Partial<Record<GapCause, string>> = {
  starting: "Chờ mở trang họp",
  deviceLost: "Trang họp không hiện trên màn hình",
};

export const gapWords = (cause: GapCause, track: Track): string =>
  (track === "screen" ? SCREEN_GAP_CAUSES[cause] : undefined) ?? GAP_CAUSES[cause];

export const RECORDING_SIGN = "ĐANG GHI ÂM, GHI HÌNH";
