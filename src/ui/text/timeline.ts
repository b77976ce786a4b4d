/** Wording of the session's log and of sound on the timeline of a recording. */

export const TIMELINE_LOG = {
  name: "Diễn biến",
  label: "Diễn biến của buổi tiếp: mũi tên để chọn, Enter để xem",
  latest: "Gần nhất:",
  none: "chưa có việc gì",
  hint: "Bấm một mốc để xem từ đó.",
  kinds: { mark: "đánh dấu", break: "cả buổi gián đoạn hoặc tạm dừng", trouble: "sự cố", act: "việc khác" },
};
