/** The only module that loads undici, so that its change to the host's globals is undone wherever it is loaded first. */
import { restoreGlobals } from './host-globals.ts'
import { buildConnector, Client, Dispatcher, Dispatcher1Wrapper, EnvHttpProxyAgent, errors, fetch, Pool } from 'undici'

restoreGlobals()

export { buildConnector, Client, Dispatcher, Dispatcher1Wrapper, EnvHttpProxyAgent, errors, fetch, Pool }
