import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ROOM_PICTURE_PATH } from "../../protocol/protocol.ts";
import { ROOM } from "../text/room.ts";

/** What the camera sees. A broken stream of pictures is asked for again, with a new address. */
export function OwnPicture() {
  const attempt = useSignal(0);
  const broken = useSignal(false);
  useEffect(() => {
    if (!broken.value) return undefined;
    const timer = setTimeout(() => {
      attempt.value += 1;
      broken.value = false;
    }, 2_000);
    return () => clearTimeout(timer);
  }, [broken.value]);
  return (
    <figure class="room-picture">
      {broken.value ? (
        <p>{ROOM.noPicture}</p>
      ) : (
        <img
          src={`${ROOM_PICTURE_PATH}?${attempt.value}`}
          alt={ROOM.picture}
          onError={() => {
            broken.value = true;
          }}
        />
      )}
    </figure>
  );
}
