import type { Env } from '../clock.ts'
import type { Endpoints } from '../endpoint.ts'
import type { Send } from '../layer.ts'

/** Sends a call to an endpoint that admits it; a retry goes to another endpoint than the last if one admits it. */
export const route = (env: Env, endpoints: Endpoints): Send => call => {
  const endpoint = endpoints.pick(call, env.clock.now())
  return endpoint === undefined ? Promise.reject(endpoints.refuse(call, env.clock.now())) : endpoint.send(call)
}
