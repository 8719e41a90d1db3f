/** The way to an address: straight, or through the proxy that the environment names. */
import { Agent, type Dispatcher, Pool, ProxyAgent } from 'undici';
import { cannot, shown } from '../common/errors.js';

type Environment = Record<string, string | undefined>;

/** Sends each request, those that redirects lead to included, the way that the environment has for its address. */
export function openDispatcher(): Dispatcher {
  return new Agent({
    factory: (origin, options) => {
      const proxy = proxyFor(new URL(origin));
      // Many a proxy tunnels to port 443 alone; what is not encrypted is asked of the proxy itself.
      return proxy ? new ProxyAgent({ uri: proxy.href, proxyTunnel: false }) : new Pool(origin, options);
    },
  });
}

/**
 * The proxy for an address, or undefined for none: HTTPS_PROXY or HTTP_PROXY, if NO_PROXY does not name the host. Lower case
 * goes before upper case, as it does elsewhere. Throws a BnTrainError for a proxy that is no address of one.
 */
export function proxyFor(url: URL, env: Environment = process.env): URL | undefined {
  const name = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const value = read(name, env);
  if (value === '' || isExempt(url, read('NO_PROXY', env))) return undefined;
  const address = value.includes('://') ? value : `http://${value}`;
  const proxy = URL.canParse(address) ? new URL(address) : undefined;
  if (proxy && ['http:', 'https:'].includes(proxy.protocol)) return proxy;
  throw cannot(`use the proxy in ${name}`, {
    expected: 'an address as http://HOST:PORT',
    // A password may stand before the @.
    got: shown(value.replace(/[^/]*@/, '')),
    hint: `mend ${name} or unset it`,
  });
}

function read(name: string, env: Environment): string {
  return env[name.toLowerCase()] || env[name] || '';
}

/** A list of hosts by comma or space, "*" for all; each stands for its subdomains too, and for one port if it has one. */
function isExempt({ protocol, hostname, port }: URL, list: string): boolean {
  const own = port || (protocol === 'https:' ? '443' : '80');
  return list.split(/[\s,]+/).some((entry) => {
    if (entry === '*') return true;
    // Addresses of IPv6 have brackets in a URL; in a list they may have none.
    const bracketed = /^[^[]*:[^[]*:/.test(entry) ? `[${entry}]` : entry;
    const [, host, only = own] = /^(?:\*?\.)?(.+?)(?::(\d+))?$/.exec(bracketed.toLowerCase()) ?? [];
    return host !== undefined && only === own && (hostname === host || hostname.endsWith(`.${host}`));
  });
}
