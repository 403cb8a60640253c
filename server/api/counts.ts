import { create } from "@bufbuild/protobuf";
import { type IngestCounts, IngestCountsSchema } from "../../gen/es/telltale/v1/ingest_pb.ts";
import type { BatchCounts } from "../ingest/settled.ts";

/** The sum over the batches, in the contract's form. */
export function countsMessage(batches: readonly BatchCounts[]): IngestCounts {
  const sum = (of: keyof BatchCounts) => BigInt(batches.reduce((n, counts) => n + counts[of], 0));
  return create(IngestCountsSchema, {
    accepted: sum("accepted"),
    duplicate: sum("duplicate"),
    conflicting: sum("conflicting"),
    rejected: sum("rejected"),
    late: sum("late"),
  });
}
