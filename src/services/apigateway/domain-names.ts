/**
 * Custom domain names, which both versions of API Gateway share, and their mappings to stages. A mapping makes a gateway
 * with that host. Certificates and everything else about TLS are stored and have no effect.
 */
import type { Scope } from '../../protocol/names.ts';
import type { DocumentTable } from '../../storage/document-table.ts';

export type DomainName = {
  readonly domainName: string;
  readonly createdDate: string;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** As the client sent them, by version. */
  readonly settings: Readonly<Record<string, unknown>>;
};

export type Mapping = {
  readonly mappingId: string;
  readonly domainName: string;
  readonly apiId: string;
  /** The base path without slashes at its ends; empty for none. */
  readonly path: string;
  /** Undefined for a base path mapping whose requests name the stage. */
  readonly stage: string | undefined;
};

export function domainNames(table: DocumentTable) {
  const names = (scope: Scope) => table.collection<DomainName>(scope, 'domain-name', '');
  const mappings = (scope: Scope, domainName: string) => table.collection<Mapping>(scope, 'mapping', domainName);
  return {
    names,
    mappings,
    remove(scope: Scope, domainName: string) {
      table.removeBelow(scope, domainName);
      return names(scope).remove(domainName);
    },
    /** The mappings that lead to an API. */
    ofApi: (scope: Scope, apiId: string): Mapping[] =>
      names(scope)
        .all()
        .flatMap(({ domainName }) => mappings(scope, domainName).all())
        .filter((mapping) => mapping.apiId === apiId),
  };
}

export type DomainNames = ReturnType<typeof domainNames>;
