import kafkajs, { type Assigner } from "kafkajs";

const name = "telltale-sticky";
const version = 1;

/** A member of the group and the partitions that it says it has. */
export interface Member {
  readonly id: string;
  readonly owned: readonly number[];
}

/**
 * Shares the partitions out evenly and leaves as many as possible where they are: whoever takes a partition over has to load
 * the state of its sensors first. Of two members that claim the same partition, the one whose id sorts first keeps it.
 */
export function assignSticky(members: readonly Member[], partitions: readonly number[]): Map<string, number[]> {
  const sorted = [...members].sort((a, b) => (a.id < b.id ? -1 : 1));
  const shares = new Map(sorted.map(({ id }) => [id, [] as number[]]));
  const free = new Set(partitions);
  const least = Math.floor(partitions.length / members.length);
  let larger = partitions.length % members.length; // members that get one more
  for (const { id, owned } of sorted) {
    const kept = [...new Set(owned)].filter((partition) => free.has(partition));
    const quota = kept.length > least && larger > 0 ? least + 1 : least;
    if (kept.length > least && quota > least) larger--;
    for (const partition of kept.slice(0, quota)) {
      shares.get(id)!.push(partition);
      free.delete(partition);
    }
  }
  for (const partition of [...free].sort((a, b) => a - b)) {
    const poorest = [...shares.values()].reduce((a, b) => (b.length < a.length ? b : a));
    poorest.push(partition);
  }
  return shares;
}

/** The name under which this process was in the group last, see `keepMembership`. */
export interface StickyAssigner extends Assigner {
  memberId?: string;
  /** Sends the broker a heartbeat, unless one was sent within the interval (milliseconds); see `keepMembership`. */
  heartbeat?: (intervalMs: number) => Promise<void>;
}

/** For kafkajs; `owned` answers with what this process has when the group is joined. */
export function stickyAssigner(topic: string, partitions: number, owned: () => readonly number[]): StickyAssigner {
  const { MemberMetadata, MemberAssignment } = kafkajs.AssignerProtocol;
  return {
    name,
    version,
    protocol: ({ topics }) => ({
      name,
      metadata: MemberMetadata.encode({ version, topics, userData: Buffer.from(JSON.stringify(owned())) }),
    }),
    assign: async ({ members }) => {
      const claims = members.map(({ memberId, memberMetadata }) => ({
        id: memberId,
        owned: parseOwned(MemberMetadata.decode(memberMetadata)?.userData),
      }));
      const all = Array.from({ length: partitions }, (_, partition) => partition);
      return [...assignSticky(claims, all)].map(([memberId, share]) => ({
        memberId,
        memberAssignment: MemberAssignment.encode({
          version,
          assignment: { [topic]: share },
          userData: Buffer.alloc(0),
        }),
      }));
    },
  };
}

/** Another version of this program may have written it: what is not understood claims nothing. */
function parseOwned(userData: Buffer | undefined): number[] {
  if (!userData || userData.length === 0) return [];
  try {
    const value: unknown = JSON.parse(userData.toString());
    return Array.isArray(value) ? value.filter((each) => Number.isInteger(each)) : [];
  } catch {
    return []; // as above
  }
}
