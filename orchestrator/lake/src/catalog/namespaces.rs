//! Namespaces and lists of tables: one function a statement.

use std::collections::HashMap;

use iceberg::{NamespaceIdent, Result, TableIdent};

use super::{LakeCatalog, wrap};

impl LakeCatalog {
    pub(super) async fn namespaces(&self) -> Result<Vec<NamespaceIdent>> {
        let names: Vec<String> = sqlx::query_scalar(
            "select distinct namespace from lake_catalog.iceberg_namespace_properties
             where catalog_name = $1 order by namespace",
        )
        .bind(&self.name)
        .fetch_all(&self.pool)
        .await
        .map_err(wrap)?;
        Ok(names.into_iter().map(NamespaceIdent::new).collect())
    }

    pub(super) async fn add_namespace(
        &self,
        namespace: &NamespaceIdent,
        properties: &HashMap<String, String>,
    ) -> Result<()> {
        // `exists` is what Iceberg's JDBC catalog writes for a namespace without properties, and looks for.
        let mut keys = vec!["exists"];
        let mut values = vec!["true"];
        for (key, value) in properties {
            keys.push(key);
            values.push(value);
        }
        // On conflict: it was there.
        sqlx::query(
            "insert into lake_catalog.iceberg_namespace_properties
                 (catalog_name, namespace, property_key, property_value)
             select $1, $2, k, v from unnest($3::text[], $4::text[]) as p (k, v)
             on conflict do nothing",
        )
        .bind(&self.name)
        .bind(namespace.join("."))
        .bind(keys)
        .bind(values)
        .execute(&self.pool)
        .await
        .map_err(wrap)?;
        Ok(())
    }

    pub(super) async fn namespace_properties(
        &self,
        namespace: &NamespaceIdent,
    ) -> Result<HashMap<String, String>> {
        let rows: Vec<(String, Option<String>)> = sqlx::query_as(
            "select property_key, property_value from lake_catalog.iceberg_namespace_properties
             where catalog_name = $1 and namespace = $2",
        )
        .bind(&self.name)
        .bind(namespace.join("."))
        .fetch_all(&self.pool)
        .await
        .map_err(wrap)?;
        Ok(rows
            .into_iter()
            .map(|(key, value)| (key, value.unwrap_or_default()))
            .collect())
    }

    pub(super) async fn tables(&self, namespace: &NamespaceIdent) -> Result<Vec<TableIdent>> {
        let names: Vec<String> = sqlx::query_scalar(
            "select table_name from lake_catalog.iceberg_tables
             where catalog_name = $1 and table_namespace = $2 and coalesce(iceberg_type, 'TABLE') = 'TABLE'
             order by table_name",
        )
        .bind(&self.name)
        .bind(namespace.join("."))
        .fetch_all(&self.pool)
        .await
        .map_err(wrap)?;
        Ok(names
            .into_iter()
            .map(|name| TableIdent::new(namespace.clone(), name))
            .collect())
    }
}
