const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY'])

/** Whether a method is safe, that is, read-only (RFC 9110 §9.2.1, RFC 10008 for QUERY). */
export const isSafe = (method: string): boolean => SAFE.has(method)

const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'QUERY'])

/**
 * Whether a request has the same effect sent twice as sent once: by its method (RFC 9110 §9.2.2, RFC 10008 for QUERY), by an
 * idempotency key, or because the caller says so with `retry.methods`.
 */
export const isIdempotent = (method: string, hasKey: boolean, optedIn: readonly string[]): boolean =>
  IDEMPOTENT.has(method) || hasKey || optedIn.includes(method)
