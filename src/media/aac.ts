/** AAC configuration (ISO/IEC 14496-3, AudioSpecificConfig) as WebCodecs and MP4 want it. */
export interface AacConfig {
  /** WebCodecs codec string, RFC 6381: `mp4a.40.` + audio object type. */
  codec: string;
  /** Of the core decoder: SBR may double it at the output. */
  sampleRate: number;
  channels: number;
  /** Samples of one frame at sampleRate: 1024, or 960. */
  frameSamples: number;
  /** The AudioSpecificConfig itself: `description` of an AudioDecoderConfig. */
  description: Uint8Array;
}

const SAMPLE_RATES = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];
/** By channelConfiguration; 0 means that a program config element says, which no encoder in use here writes. */
const CHANNELS = [undefined, 1, 2, 3, 4, 5, 6, 8];

/** Reads an AudioSpecificConfig from an FLV AAC sequence header; undefined where it is not one. */
export function parseAacConfig(audioSpecificConfig: Uint8Array): AacConfig | undefined {
  let at = 0;
  const read = (count: number): number => {
    let value = 0;
    for (let i = 0; i < count; i++, at++)
      value = (value << 1) | (((audioSpecificConfig[at >> 3] ?? 0) >> (7 - (at & 7))) & 1);
    return value;
  };
  const readObjectType = (): number => {
    const type = read(5);
    return type === 31 ? 32 + read(6) : type;
  };
  const readRate = (): number | undefined => {
    const index = read(4);
    return index === 15 ? read(24) : SAMPLE_RATES[index];
  };
  const objectType = readObjectType();
  const sampleRate = readRate();
  const channels = CHANNELS[read(4)];
  // 5 and 29 announce SBR and PS: their own rate and the core's object type come before the core's flags.
  if (objectType === 5 || objectType === 29) {
    readRate();
    readObjectType();
  }
  const short = read(1) === 1;
  if (at > audioSpecificConfig.length * 8 || objectType === 0 || !sampleRate || !channels) return undefined;
  return {
    codec: `mp4a.40.${objectType}`,
    sampleRate,
    channels,
    frameSamples: short ? 960 : 1024,
    description: audioSpecificConfig,
  };
}
