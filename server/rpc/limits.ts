/** Bounds of the gRPC door. Each protects the honest callers from one that is broken or hostile. */
export interface RpcLimits {
  /** Of one message, also after decompression. */
  readonly maxMessageBytes: number;
  /** Calls at once on one connection. */
  readonly maxConcurrentStreams: number;
  readonly maxConnections: number;
  /** Of one request's headers in all. */
  readonly maxHeaderBytes: number;
  /** Calls of one connection that may be cancelled at once, and from then on in a second; past it the connection ends. */
  readonly streamResetBurst: number;
  readonly streamResetsPerSecond: number;
  /** For the first bytes of a connection, TLS handshake included, and for the headers of an HTTP/1.1 request. */
  readonly prefaceTimeoutMs: number;
  /** For the whole body of a call that has one request. */
  readonly requestTimeoutMs: number;
  /** A connection without calls is closed after this. */
  readonly idleTimeoutMs: number;
  /** How often an HTTP/2 peer is asked for a sign of life; unanswered until the next time, it is taken for dead. */
  readonly pingIntervalMs: number;
  /** Unread bytes that one call may have under way. */
  readonly streamWindowBytes: number;
  /** Unread bytes that one connection may have under way. */
  readonly connectionWindowBytes: number;
  /** Unsent bytes and headers that nghttp2 may hold for one connection, in MB. */
  readonly maxSessionMemoryMB: number;
}

export const defaultLimits: RpcLimits = {
  // 10,000 readings of 45 bytes nine times over; the contract promises it.
  maxMessageBytes: 4 * 1024 * 1024,
  // A collector multiplexes a stream and some queries; grpc-go's own default for a busy proxy is 100.
  maxConcurrentStreams: 256,
  // A file descriptor and about 60 kB each.
  maxConnections: 10_000,
  // A bearer token is 1 to 2 kB, a trace context 100 bytes.
  maxHeaderBytes: 16 * 1024,
  // A page that is closed cancels all that it had open; Node's own bound of 1,000 is a third of a second of our work.
  streamResetBurst: 300,
  streamResetsPerSecond: 33,
  prefaceTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  idleTimeoutMs: 300_000,
  // Most NATs forget a silent connection after minutes, and a dead device should free its stream sooner.
  pingIntervalMs: 30_000,
  // A device 100 ms away can still send 10 MB/s.
  streamWindowBytes: 1024 * 1024,
  connectionWindowBytes: 4 * 1024 * 1024,
  maxSessionMemoryMB: 32,
};
