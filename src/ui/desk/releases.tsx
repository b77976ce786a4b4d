import { useSignal } from "@preact/signals";
import { FolderOpen, HardDriveDownload, PackageCheck } from "lucide-preact";
import { useEffect } from "preact/hooks";
import type { ReleasesView, ReleaseView, RoomView } from "../../hub/http/views.ts";
import type { BoxId, ReleaseRefusal } from "../../protocol/protocol.ts";
import { Button, FileButton } from "../design/button.tsx";
import { Alert, Badge, EmptyState, Progress, Skeleton } from "../design/states.tsx";
import { type Column, DataTable } from "../design/table.tsx";
import { WORDS } from "../text/desk.ts";
import { byName, dayAndTime, size } from "../text/format.ts";
import { RELEASE_REFUSED, RELEASE_STATES, RELEASES, updateReason } from "../text/releases.ts";
import type { Answer, Refusal } from "./api.ts";
import { BoxUpdateState, updateWords } from "./box-update.tsx";
import { Page, RefusalAlert } from "./page.tsx";
import { useDesk } from "./store.ts";
import { uploadRelease, type Upload } from "./upload.ts";

const LOOK_MS = 3_000;

type Trouble = { code: Refusal; reason?: ReleaseRefusal | undefined };

/** Releases of the boxes' system: taken in, given out in rings, and how far each box is. */
export function ReleasesPage() {
  const { api, rooms } = useDesk();
  const view = useSignal<ReleasesView | null>(null);
  const trouble = useSignal<Trouble | null>(null);
  const busy = useSignal(false);
  const upload = useSignal<Upload | null>(null);
  const boxes = rooms.value.map(({ room }) => room).filter((room) => room.box && room.update);

  const look = async () => {
    const answer = await api.releases();
    if (answer.ok) view.value = answer.value;
  };
  useEffect(() => {
    void look();
    const timer = setInterval(() => void look(), LOOK_MS);
    return () => clearInterval(timer);
  }, []);

  async function act(ask: () => Promise<Answer<unknown>>): Promise<void> {
    busy.value = true;
    trouble.value = null;
    const answer = await ask();
    busy.value = false;
    if (!answer.ok) trouble.value = { code: answer.code, reason: answer.reason };
    await look();
  }

  const send = (files: File[]) =>
    act(() =>
      uploadRelease(api, files, (next) => {
        upload.value = next;
      }).finally(() => {
        upload.value = null;
      }),
    );

  const { value } = view;
  return (
    <Page title={RELEASES.title} lead={<p>{RELEASES.lead}</p>}>
      <div class="stack-wide">
        {trouble.value && <ReleaseTrouble trouble={trouble.value} />}
        {value?.keys === 0 && (
          <Alert tone="warn" title={RELEASES.noKeys}>
            <p>{RELEASES.noKeysText}</p>
          </Alert>
        )}
        <section class="card stack" aria-labelledby="take-in">
          <h2 id="take-in">{RELEASES.choose}</h2>
          <p class="soft" id="take-in-hint">
            {RELEASES.chooseHint}
          </p>
          <FileButton
            icon={FolderOpen}
            describedBy="take-in-hint"
            busy={busy.value}
            onFiles={(files) => void send(files)}
          >
            {RELEASES.browse}
          </FileButton>
          {upload.value && (
            <>
              <output>{RELEASES.uploading(upload.value.sentBytes, upload.value.totalBytes)}</output>
              <Progress part={upload.value.sentBytes} whole={upload.value.totalBytes} label={RELEASES.choose} />
            </>
          )}
          {value && (
            <OnDisk view={value} busy={busy.value} onImport={(folder) => void act(() => api.importRelease(folder))} />
          )}
        </section>
        {!value && <Skeleton lines={4} label={WORDS.loading} />}
        {value?.releases.length === 0 && (
          <EmptyState icon={PackageCheck} title={RELEASES.empty}>
            {RELEASES.emptyText}
          </EmptyState>
        )}
        {value?.releases.map((release) => (
          <Release key={release.id} release={release} boxes={boxes} busy={busy.value} act={act} />
        ))}
        <div class="stack">
          <h2>{RELEASES.boxes}</h2>
          {boxes.length === 0 ? <p class="soft">{RELEASES.noBoxes}</p> : <Boxes boxes={boxes} />}
        </div>
      </div>
    </Page>
  );
}

function ReleaseTrouble({ trouble: { code, reason } }: { trouble: Trouble }) {
  if (code !== "releaseRefused" || !reason) return <RefusalAlert code={code} />;
  return (
    <Alert tone="bad" title={RELEASES.refusedTitle} live>
      <p>{RELEASE_REFUSED[reason]}</p>
    </Alert>
  );
}

function OnDisk({ view, busy, onImport }: { view: ReleasesView; busy: boolean; onImport: (folder: string) => void }) {
  return (
    <>
      <h3>{RELEASES.onDisk}</h3>
      {view.onDisk.length === 0 && <p class="soft">{RELEASES.onDiskEmpty(view.importDirectory)}</p>}
      {view.onDisk.map(({ folder, version, refusal }) => (
        <div key={folder} class="row">
          <span>
            {folder}: {version ? RELEASES.version(version) : refusal && RELEASE_REFUSED[refusal]}
          </span>
          {version && (
            <Button
              icon={HardDriveDownload}
              busy={busy}
              label={RELEASES.importOf(version)}
              onPress={() => onImport(folder)}
            >
              {RELEASES.import}
            </Button>
          )}
        </div>
      ))}
    </>
  );
}

const STATE_TONES = { receiving: "neutral", published: "accent", paused: "warn", held: "bad" } as const;

function Release(props: {
  release: ReleaseView;
  boxes: RoomView[];
  busy: boolean;
  act: (ask: () => Promise<Answer<unknown>>) => Promise<void>;
}) {
  const { api, now } = useDesk();
  const { release, busy, act } = props;
  const { id, version, state, opened, files } = release;
  const of = props.boxes.filter(
    ({ update }) => update?.architecture === release.architecture && update.flavour === release.flavour,
  );
  const there = of.filter(({ update }) => update?.running === version && update.state !== "trial").length;
  const names = new Map(props.boxes.map((room) => [room.box, room.point.name]));
  const [have, whole] = [
    files.reduce((sum, file) => sum + file.haveBytes, 0),
    files.reduce((sum, file) => sum + file.sizeBytes, 0),
  ];
  const goOn = (wish: { retry?: boolean; openToAll?: boolean }) => act(() => api.continueRelease(id, wish));
  return (
    <section class="card stack" aria-labelledby={`release-${id}`}>
      <div class="row">
        <h2 id={`release-${id}`}>{RELEASES.version(version)}</h2>
        <Badge tone={STATE_TONES[state]}>{RELEASE_STATES[state]}</Badge>
      </div>
      <p class="soft">
        {RELEASES.hardware(release.architecture, release.flavour)}. {RELEASES.from(release.minimumVersion)}.{" "}
        {size(whole)}. {RELEASES.added(release.addedBy, dayAndTime(release.addedAt, now.peek()))}.
      </p>
      {release.notes && <p class="reading">{release.notes}</p>}
      {state === "held" && (
        <Alert tone="bad" title={RELEASES.heldTitle(release.failures.length)} live>
          <p>{RELEASES.heldText}</p>
          <ul>
            {release.failures.map(({ box, attempt, reason }) => (
              <li key={`${box} ${attempt}`}>{RELEASES.failure(names.get(box) ?? box, updateReason(reason))}</li>
            ))}
          </ul>
        </Alert>
      )}
      {state === "receiving" ? (
        have < whole ? (
          <>
            <output>{RELEASES.uploading(have, whole)}</output>
            <Progress part={have} whole={whole} label={RELEASES.version(version)} />
          </>
        ) : (
          <Publish
            version={version}
            boxes={of}
            busy={busy}
            onPublish={(ring) => void act(() => api.publishRelease(id, ring))}
          />
        )
      ) : (
        <>
          <p>
            {RELEASES.ring(opened, release.firstRing.length)}. {RELEASES.reached(there, of.length)}.
          </p>
          <Progress part={there} whole={of.length} label={RELEASES.reached(there, of.length)} />
          <div class="row">
            {state === "published" ? (
              <>
                <Button busy={busy} onPress={() => void act(() => api.pauseRelease(id))}>
                  {RELEASES.pause}
                </Button>
                {!opened && (
                  <Button busy={busy} onPress={() => void goOn({ openToAll: true })}>
                    {RELEASES.openToAll}
                  </Button>
                )}
              </>
            ) : (
              <Button kind="primary" busy={busy} onPress={() => void goOn({})}>
                {RELEASES.goOn}
              </Button>
            )}
            {release.failures.length > 0 && (
              <Button busy={busy} onPress={() => void goOn({ retry: true })}>
                {RELEASES.retry}
              </Button>
            )}
          </div>
        </>
      )}
    </section>
  );
}

function Publish(props: {
  version: string;
  boxes: RoomView[];
  busy: boolean;
  onPublish: (firstRing: BoxId[]) => void;
}) {
  const ring = useSignal<ReadonlySet<BoxId>>(new Set());
  const put = (box: BoxId, isIn: boolean) => {
    const next = new Set(ring.peek());
    if (isIn) next.add(box);
    else next.delete(box);
    ring.value = next;
  };
  return (
    <>
      <p>{RELEASES.checked}</p>
      <fieldset class="group stack">
        <legend>{RELEASES.firstRing}</legend>
        <p class="hint">{ring.value.size > 0 ? RELEASES.firstRingHint : RELEASES.firstRingNone}</p>
        <ul class="choices ring-choices">
          {props.boxes
            .toSorted((a, b) => byName(a.point.name, b.point.name))
            .map(({ box, point }) => (
              <li key={point.id}>
                <label class="check">
                  <input
                    type="checkbox"
                    checked={ring.value.has(box!)}
                    onChange={(event) => put(box!, event.currentTarget.checked)}
                  />
                  <span>{point.name}</span>
                </label>
              </li>
            ))}
        </ul>
      </fieldset>
      <div class="row">
        <Button
          kind="primary"
          busy={props.busy}
          label={RELEASES.publishOf(props.version)}
          onPress={() => props.onPublish([...ring.peek()])}
        >
          {RELEASES.publish}
        </Button>
      </div>
    </>
  );
}

function Boxes({ boxes }: { boxes: RoomView[] }) {
  const columns: Column<RoomView>[] = [
    {
      key: "name",
      head: RELEASES.point,
      names: true,
      value: ({ point }) => point.name,
      cell: ({ point }) => point.name,
    },
    {
      key: "running",
      head: RELEASES.running,
      value: ({ update }) => update?.running ?? "",
      cell: ({ update }) => update?.running ?? "–",
    },
    { key: "state", head: RELEASES.state, value: updateWords, cell: (room) => <BoxUpdateState room={room} /> },
  ];
  return (
    <DataTable
      caption={RELEASES.boxes}
      rows={boxes.toSorted((a, b) => byName(a.point.name, b.point.name))}
      columns={columns}
      rowKey={({ point }) => point.id}
      rowTone={({ update }) => (update?.state === "fellBack" || update?.state === "refused" ? "bad" : undefined)}
      sort={{ key: "name" }}
    />
  );
}
