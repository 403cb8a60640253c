/** What became of a batch, over all partitions that it went to. */
import { create } from "@bufbuild/protobuf";
import { type Refusal, RefusalReason, RefusalSchema } from "../../gen/es/telltale/v1/ingest_pb.ts";
import type { FragmentOutcome } from "../log/outcome.ts";
import type { Accepted } from "./accept.ts";
import { MAX_REFUSALS_DETAILED } from "./limits.ts";

/** Readings of a batch by what became of them; `late` ones are accepted too. */
export interface BatchCounts {
  readonly accepted: number;
  readonly duplicate: number;
  readonly conflicting: number;
  readonly rejected: number;
  readonly late: number;
}

export interface SettledBatch {
  readonly counts: BatchCounts;
  /** Each refusal, conflict and reading set aside, in the order of the batch, up to a limit. */
  readonly refusals: readonly Refusal[];
  /** The stored readings by their index in the batch, where the sender wanted them. */
  readonly stored: FragmentOutcome["stored"];
}

const SET_ASIDE =
  "the store refuses the reading for its data: it is set aside, and an administrator can submit it again or discard it";

export function settledBatch(sequence: bigint, accepted: Accepted, outcomes: readonly FragmentOutcome[]): SettledBatch {
  return {
    counts: countsOf(accepted, outcomes),
    refusals: refusalsOf(sequence, accepted, outcomes),
    stored: outcomes.flatMap((f) => f.stored),
  };
}

function countsOf({ rejected }: Accepted, outcomes: readonly FragmentOutcome[]): BatchCounts {
  const sum = { accepted: 0, duplicate: 0, conflicting: 0, rejected, late: 0 };
  for (const f of outcomes) {
    sum.accepted += f.accepted;
    sum.duplicate += f.duplicate;
    sum.conflicting += f.conflicting;
    sum.rejected += f.quarantined;
    sum.late += f.late;
  }
  return sum;
}

function refusalsOf(sequence: bigint, accepted: Accepted, outcomes: readonly FragmentOutcome[]): readonly Refusal[] {
  const conflicts = outcomes.flatMap((f) =>
    f.conflicts.map(({ index, message }) =>
      create(RefusalSchema, { sequence, index, reason: RefusalReason.CONFLICTING, message, field: "value" }),
    ),
  );
  const setAside = outcomes.flatMap((f) =>
    f.quarantinedIndices.map((index) =>
      create(RefusalSchema, { sequence, index, reason: RefusalReason.QUARANTINED, message: SET_ASIDE }),
    ),
  );
  if (conflicts.length === 0 && setAside.length === 0) return accepted.refusals;
  return [...accepted.refusals, ...conflicts, ...setAside]
    .sort((a, b) => a.index - b.index)
    .slice(0, MAX_REFUSALS_DETAILED);
}
