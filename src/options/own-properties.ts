/** The end of a prototype chain. V8 keeps an object that has it as its prototype fast; one without any becomes a dictionary. */
const NOTHING: object = Object.freeze(Object.create(null) as object)

/**
 * Copies own properties, the later ones over the earlier, into an object that inherits nothing: an option that is not given
 * is then undefined, even where other code has put a property of that name on `Object.prototype`.
 */
export const ownCopy = <T extends object>(given: T, ...over: Partial<T>[]): T =>
  Object.assign(Object.create(NOTHING) as object, given, ...over) as T

/** Nothing given, and nothing inherited. */
export const NONE: object = Object.freeze(ownCopy({}))
