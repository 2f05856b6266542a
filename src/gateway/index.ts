/**
 * A reverse proxy made of a client, as a handler for `node:http` and for Express. Begin with {@link createGateway}.
 *
 * @module breakwater/gateway
 */
export type { Forwarding } from './forwarded.ts'
export { createGateway, type Gateway } from './gateway.ts'
export type { GatewayOptions } from './options.ts'
