/**
 * The `instrumentation.ts` of a Next.js service. Next calls `register()` when a server starts, before it wraps the global
 * fetch in its cache: a cache hit does not reach the client, and a cache miss has a breaker, retries and a deadline.
 * `next: { revalidate, tags }` and `cache` still work.
 */
export const register = async (): Promise<void> => {
  // The edge runtime has no sockets, so it gets no client.
  if (process.env['NEXT_RUNTIME'] !== 'nodejs') return
  const { createClient } = await import('breakwater')
  const client = createClient({ deadline: 2_000, attemptTimeout: 800 })
  globalThis.fetch = client.fetch
}
