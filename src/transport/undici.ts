/** The one place that loads undici, so that what it does to the host's globals is undone wherever it is needed first. */
import { restoreGlobals } from './host-globals.ts'
import { buildConnector, Dispatcher, Dispatcher1Wrapper, EnvHttpProxyAgent, errors, fetch, Pool } from 'undici'

restoreGlobals()

export { buildConnector, Dispatcher, Dispatcher1Wrapper, EnvHttpProxyAgent, errors, fetch, Pool }
