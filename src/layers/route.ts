import type { Endpoints } from '../endpoint.ts'
import type { Send } from '../layer.ts'
import { rejected } from '../sent.ts'

/** Sends a call to an endpoint that admits it; a retry goes to another endpoint than the last if one admits it. */
export const route = (endpoints: Endpoints): Send => call => {
  const endpoint = endpoints.pick(call, call.at)
  return endpoint === undefined ? rejected(endpoints.refuse(call.trace, call.at)) : endpoint.send(call)
}
