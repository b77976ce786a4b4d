export { chooseMode } from "./v4l.ts";
export {
  hasPulse,
  lostDevice,
  pactl,
  tuneCamera,
  wakeMicrophone,
  type Camera,
  type Devices,
  type Microphone,
  type UsedDevices,
} from "./listing.ts";
export { DeviceBook, openDeviceBook, type DeviceRules } from "./book.ts";
