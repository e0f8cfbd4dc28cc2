// SPDX-License-Identifier: Apache-2.0
package io.ridehail.druid.postgres;

import com.google.common.base.Supplier;
import com.google.inject.Inject;
import java.sql.SQLException;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.apache.commons.dbcp2.BasicDataSource;
import org.apache.druid.metadata.MetadataCASUpdate;
import org.apache.druid.metadata.MetadataStorageConnectorConfig;
import org.apache.druid.metadata.MetadataStorageTablesConfig;
import org.apache.druid.metadata.SQLMetadataConnector;
import org.apache.druid.segment.metadata.CentralizedDatasourceSchemaConfig;
import org.skife.jdbi.v2.DBI;
import org.skife.jdbi.v2.Handle;
import org.skife.jdbi.v2.exceptions.CallbackFailedException;

/** Druid's metadata tables in Postgres 9.5 or later: column types, upsert, and which errors are worth a retry. */
public class PostgresConnector extends SQLMetadataConnector {
  private final DBI dbi;

  @Inject
  public PostgresConnector(
      Supplier<MetadataStorageConnectorConfig> config,
      Supplier<MetadataStorageTablesConfig> tables,
      CentralizedDatasourceSchemaConfig schema) {
    super(config, tables, schema);
    BasicDataSource source = getDatasource();
    // the driver lies in this extension's folder, which only this class loader sees
    source.setDriverClassLoader(getClass().getClassLoader());
    source.setDriverClassName("org.postgresql.Driver");
    this.dbi = new DBI(source);
  }

  @Override
  public String getPayloadType() {
    return "BYTEA";
  }

  @Override
  public String getSerialType() {
    return "BIGSERIAL";
  }

  @Override
  public String getQuoteString() {
    return "\"";
  }

  /** The driver streams a result only with a positive fetch size; otherwise it holds every segment row in memory. */
  @Override
  public int getStreamingFetchSize() {
    return 100;
  }

  @Override
  public String limitClause(int limit) {
    return "LIMIT " + limit;
  }

  @Override
  public DBI getDBI() {
    return dbi;
  }

  @Override
  public boolean tableExists(Handle handle, String table) {
    return !handle
        .createQuery("SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = :name")
        .bind("name", table.toLowerCase(Locale.ROOT))
        .list()
        .isEmpty();
  }

  // Druid spells names like druid_pendingSegments without quotes, which Postgres folds to lower case; the driver's catalogue
  // functions compare exactly. Without these two, each start would add columns and indexes that are already there.

  @Override
  protected boolean tableHasColumn(String table, String column) {
    return super.tableHasColumn(table.toLowerCase(Locale.ROOT), column);
  }

  @Override
  public Set<String> getIndexOnTable(String table) {
    return super.getIndexOnTable(table.toLowerCase(Locale.ROOT));
  }

  /**
   * Druid swaps under repeatable read, where Postgres ends the later of two transactions with an error instead of letting it
   * see that the value has changed. For the caller both mean the same: not swapped, read again.
   */
  @Override
  public boolean compareAndSwap(List<MetadataCASUpdate> updates) {
    try {
      return super.compareAndSwap(updates);
    } catch (CallbackFailedException failed) {
      if ("40001".equals(sqlState(failed))) {
        return false;
      }
      throw failed;
    }
  }

  /** Two overlords may write the same key at once: the upsert lets the later one win without an error. */
  @Override
  public Void insertOrUpdate(String table, String keyColumn, String valueColumn, String key, byte[] value) {
    return retryWithHandle(handle -> {
      handle
          .createStatement(String.format(
              "INSERT INTO %1$s (%2$s, %3$s) VALUES (:key, :value) ON CONFLICT (%2$s) DO UPDATE SET %3$s = EXCLUDED.%3$s",
              table, keyColumn, valueColumn))
          .bind("key", key)
          .bind("value", value)
          .execute();
      return null;
    });
  }

  @Override
  protected boolean connectorIsTransientException(Throwable error) {
    if (!(error instanceof SQLException)) {
      return false;
    }
    String state = sqlState(error);
    // lost connection, serialization failure, deadlock, too many connections, server stopping or starting
    return state != null
        && (state.startsWith("08") || state.equals("40001") || state.equals("40P01") || state.equals("53300")
            || state.equals("57P01") || state.equals("57P02") || state.equals("57P03"));
  }

  /** The state of the first SQL error in the chain of causes, or null. */
  private static String sqlState(Throwable error) {
    for (Throwable cause = error; cause != null; cause = cause.getCause()) {
      if (cause instanceof SQLException) {
        return ((SQLException) cause).getSQLState();
      }
    }
    return null;
  }
}
