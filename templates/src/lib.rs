//! Texts that etcd hosts run: units and argument lists, rendered from typed values; the table of etcd flags by version.
