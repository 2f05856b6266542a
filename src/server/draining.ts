/** Clients whose service is shutting down: how a shutdown reaches the health handlers, which do not know of each other. */
const draining = new WeakSet<object>()

/** Marks the service of a client as shutting down. */
export const markDraining = (client: object): void => { draining.add(client) }

/** Whether the service of a client is shutting down. */
export const isDraining = (client: object): boolean => draining.has(client)
