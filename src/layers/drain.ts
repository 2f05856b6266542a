import { release } from '../http/body.ts'
import type { Layer } from '../call/layer.ts'
import type { Perform } from '../upstream/perform.ts'
import type { Upstreams } from '../upstream/upstreams.ts'

/** Refuses new requests once the client or the upstream is closing. Requests in flight continue, and so do their redirects. */
export const drain = (upstreams: Upstreams): Layer<Perform> => next => (upstream, request) => {
  if (upstreams.isOpen(upstream)) return next(upstream, request)
  release(request.body)
  return Promise.reject(upstreams.refuseDraining(upstream, request.method, request.target))
}
