/** Clients of services that are going: how a shutdown tells it to the health handlers without their being introduced. */
const going = new WeakSet<object>()

/** Says that the service in front of a client is going. */
export const markDraining = (client: object): void => { going.add(client) }

/** Whether the service in front of a client is going. */
export const isDraining = (client: object): boolean => going.has(client)
