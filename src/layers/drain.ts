import type { Layer } from '../call/layer.ts'
import type { Perform } from '../upstream/perform.ts'
import type { Upstreams } from '../upstream/upstreams.ts'

/** Takes no new requests once the client or the upstream is closing. What is in flight goes on, and so do its redirects. */
export const drain = (upstreams: Upstreams): Layer<Perform> => next => (upstream, request) => {
  if (upstreams.isOpen(upstream)) return next(upstream, request)
  return Promise.reject(upstreams.refuseDraining(upstream, request.method, request.target))
}
