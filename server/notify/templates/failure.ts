/** A failure without a place: whoever evaluates adds it. */
export class Failure extends Error {}
