/** What a page of another meeting system is told of the room's devices, and what stands over it. */
export const COMPANION = {
  camera: "Điểm Cầu: máy quay của phòng",
  microphone: "Điểm Cầu: micrô của phòng",
  notRecording: "CHƯA GHI ÂM, GHI HÌNH",
};
