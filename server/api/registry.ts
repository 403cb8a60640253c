/** Sensors as people know them: shown, searched and changed. */
import { create, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Severity } from "../../gen/es/telltale/v1/reading_pb.ts";
import {
  type RegistryService,
  type RegistryServiceListSensorsRequest,
  SensorDifferenceKind,
  SensorDifferenceSchema,
} from "../../gen/es/telltale/v1/registry_pb.ts";
import { TelltaleError } from "../errors.ts";
import { quoted } from "../lib/quoted.ts";
import type { SensorDetails } from "../registry/details.ts";
import { readMatchers } from "../registry/filter.ts";
import type { Cursor, Sort } from "../registry/find.ts";
import type { Difference } from "../registry/profiles.ts";
import { canAccessSensor } from "../security/principal.ts";
import { type Filters, readTextPageToken, writePageToken } from "./page-token.ts";
import { FRAME_BYTES, fitting } from "./pages.ts";
import { principalOf } from "./principal.ts";
import { readChanges } from "./registry-changes.ts";
import { createLifeCycle, type LifeCycleOptions } from "./registry-life-cycle.ts";
import { countsMessage, sensorBytes, sensorMessage } from "./registry-messages.ts";
import { createRename, type RenameOptions } from "./registry-rename.ts";

const DEFAULT_LIMIT = 100;
const DEFAULT_DEPTH = 10;
const MAX_NODES = 10_000;
/** Characters of a value in a difference. */
const MAX_SHOWN = 1_000;

/** By the number of SensorSort; the contract's rules let no other one in. */
const SORTS: readonly Sort[] = ["id", "id", "name", "last_reading", "severity"];

interface ProfileOptions {
  /** Profiles of the sensors were changed: where settings of assets count, the log is to hear of it. */
  readonly onPlaced: (sensorIds: readonly string[], context: HandlerContext) => Promise<void>;
}

/** Whether the change may have moved the sensor from one asset to another. */
const places = ({ fields }: Difference) => fields.some(({ field }) => field === "asset");

export function createRegistryService(
  o: LifeCycleOptions & RenameOptions & ProfileOptions,
): ServiceImpl<typeof RegistryService> {
  const { registry, clock } = o;
  const shown = (details: SensorDetails, context: HandlerContext) =>
    sensorMessage(details, clock.nowUs(), principalOf(context));

  const changer = (context: HandlerContext, dryRun: boolean) => {
    const principal = principalOf(context);
    return { who: principal.name, sees: (sensorId: string) => canAccessSensor(principal, sensorId), dryRun };
  };

  async function placed(differences: readonly Difference[], context: HandlerContext): Promise<void> {
    const moved = differences.filter(places).map(({ sensorId }) => sensorId);
    if (moved.length > 0) await o.onPlaced(moved, context);
  }

  async function find(sensorId: string, context: HandlerContext): Promise<SensorDetails> {
    const visible = canAccessSensor(principalOf(context), sensorId);
    const [details] = visible ? await registry.get([sensorId]) : [];
    if (details === undefined) throw new TelltaleError("not_found", `there is no sensor ${quoted(sensorId)}`);
    return details;
  }

  return {
    ...createLifeCycle(o),
    ...createRename(o),
    async getSensor({ sensorId }, context) {
      return { sensor: shown(await find(sensorId, context), context) };
    },

    async listSensors(request, context) {
      const { limit = DEFAULT_LIMIT, search, withCounts, descending } = request;
      const sort = SORTS[request.sort]!;
      const { page, counts } = await registry.find({
        sensorPrefix: principalOf(context).sensorPrefix,
        matchers: readMatchers(request.matchers),
        after: cursorOf(request, sort),
        ...{ search, sort, descending, limit, withCounts },
      });
      const places = page.slice(0, limit);
      // One that is gone since is on no page; what follows it is.
      const found = await registry.get(places.map(({ sensorId }) => sensorId));
      const sensors = found.map((details) => shown(details, context));
      const count = fitting(sensors, sensorBytes, context);
      const whole = count === sensors.length;
      const last = whole ? places.at(-1) : places.find(({ sensorId }) => sensorId === sensors[count - 1]!.sensorId);
      const more = last !== undefined && (page.length > limit || !whole);
      return {
        sensors: sensors.slice(0, count),
        nextPageToken: more ? tokenBehind(last, request, sort) : "",
        ...(counts === undefined ? {} : { counts: countsMessage(counts) }),
      };
    },

    async updateSensor({ profile, updateFields }, context) {
      const [change] = readChanges([{ profile, updateFields }], principalOf(context), () => "profile");
      await placed(await registry.apply([change!], changer(context, false)), context);
      return { sensor: shown(await find(change!.sensorId, context), context) };
    },

    async applySensors({ changes, dryRun }, context) {
      const read = readChanges(changes, principalOf(context), (index) => `changes[${index}].profile`);
      const all = await registry.apply(read, changer(context, dryRun));
      if (!dryRun) await placed(all, context);
      const countOf = (kind: Difference["kind"]) => BigInt(all.filter((each) => each.kind === kind).length);
      const differences = all.filter(({ kind }) => kind !== "unchanged").map(differenceMessage);
      const count = fitting(differences, differenceBytes, context);
      return {
        differences: differences.slice(0, count),
        created: countOf("created"),
        changed: countOf("changed"),
        unchanged: countOf("unchanged"),
      };
    },

    async getAssetTree({ prefix, depth = DEFAULT_DEPTH }, context) {
      const { sensorPrefix } = principalOf(context);
      const { nodes, withoutAsset } = await registry.assets({ prefix, depth, sensorPrefix });
      return {
        nodes: nodes.slice(0, MAX_NODES).map(({ path, depth: level, counts, worst, hasChildren }) => ({
          ...{ path, name: path.slice(path.lastIndexOf("/") + 1), depth: level, hasChildren },
          counts: countsMessage(counts),
          worstSeverity: worst as Severity,
        })),
        nodesLeftOut: BigInt(Math.max(0, nodes.length - MAX_NODES)),
        ...(prefix === "" ? { withoutAsset: countsMessage(withoutAsset) } : {}),
      };
    },
  };
}

function pagedBy({ search, matchers, sort, descending }: RegistryServiceListSensorsRequest): Filters {
  return { list: "registered sensors", search, matchers, sort: SORTS[sort], descending };
}

/** The name stands before the id, its length in the token's place for a number; times begin at −1. */
function tokenBehind({ value, sensorId }: Cursor, request: RegistryServiceListSensorsRequest, sort: Sort): string {
  const place =
    typeof value === "string"
      ? { timeUs: value.length, id: value + sensorId }
      : { timeUs: sort === "last_reading" ? value + 1 : value, id: sensorId };
  return writePageToken(pagedBy(request), place);
}

function cursorOf(request: RegistryServiceListSensorsRequest, sort: Sort): Cursor | undefined {
  const place = readTextPageToken(request.pageToken, pagedBy(request));
  if (place === undefined) return undefined;
  const { timeUs: number, id } = place;
  if (sort === "name") return { value: id.slice(0, number), sensorId: id.slice(number) };
  return { value: sort === "last_reading" ? number - 1 : number, sensorId: id };
}

function differenceMessage({ sensorId, kind, fields }: Difference) {
  return create(SensorDifferenceSchema, {
    sensorId,
    kind: kind === "created" ? SensorDifferenceKind.CREATED : SensorDifferenceKind.CHANGED,
    fields: fields.map(({ field, from, to }) => ({ field, from: cut(from), to: cut(to) })),
  });
}

function differenceBytes(difference: ReturnType<typeof differenceMessage>): number {
  return toBinary(SensorDifferenceSchema, difference).length + FRAME_BYTES;
}

function cut(text: string): string {
  if (text.length <= MAX_SHOWN) return text;
  const characters = [...text];
  return characters.length <= MAX_SHOWN ? text : `${characters.slice(0, MAX_SHOWN).join("")}…`;
}
