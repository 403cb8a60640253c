import { create, type MessageShape } from "@bufbuild/protobuf";
import { RecordOutcomeSchema } from "../../gen/es/telltale/v1/notice_pb.ts";
import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";
import type { RecordOutcome } from "./outcome.ts";

type OutcomeMessage = MessageShape<typeof RecordOutcomeSchema>;

/** An outcome in the contract's form, for other processes. */
export function toNotice(o: RecordOutcome): OutcomeMessage {
  return create(RecordOutcomeSchema, {
    offset: BigInt(o.offset),
    fragments: o.fragments.map((f) => ({
      accepted: f.counts[0],
      duplicate: f.counts[1],
      conflicting: f.counts[2],
      late: f.counts[3],
      conflicts: f.conflicts.map((c) => ({ ...c })),
      stored: f.stored.map((s) => ({ ...s })),
    })),
  });
}

export function fromNotice(m: OutcomeMessage): RecordOutcome {
  return {
    offset: Number(m.offset),
    fragments: m.fragments.map((f) => ({
      counts: [f.accepted, f.duplicate, f.conflicting, f.late],
      conflicts: f.conflicts.map((c) => ({ index: c.index, message: c.message })),
      stored: f.stored.map((s) => ({ index: s.index, reading: s.reading as ScoredReading })),
    })),
  };
}
