// SPDX-License-Identifier: Apache-2.0
package io.ridehail.druid.postgres;

import com.google.inject.Binder;
import com.google.inject.Key;
import org.apache.druid.guice.LazySingleton;
import org.apache.druid.guice.PolyBind;
import org.apache.druid.guice.SQLMetadataStorageDruidModule;
import org.apache.druid.initialization.DruidModule;
import org.apache.druid.metadata.MetadataStorageActionHandlerFactory;
import org.apache.druid.metadata.MetadataStorageConnector;
import org.apache.druid.metadata.MetadataStorageProvider;
import org.apache.druid.metadata.NoopMetadataStorageProvider;
import org.apache.druid.metadata.PostgreSQLMetadataStorageActionHandlerFactory;
import org.apache.druid.metadata.SQLMetadataConnector;

/**
 * Makes {@code druid.metadata.storage.type=postgresql} known. The type has the official extension's name, so the same
 * properties serve both; only the extension's folder name in {@code druid.extensions.loadList} differs.
 */
public class PostgresMetadataModule extends SQLMetadataStorageDruidModule implements DruidModule {
  private static final String TYPE = "postgresql";

  public PostgresMetadataModule() {
    super(TYPE);
  }

  @Override
  public void configure(Binder binder) {
    super.configure(binder);
    // the database is a server of its own: nothing for Druid to start
    PolyBind.optionBinder(binder, Key.get(MetadataStorageProvider.class))
        .addBinding(TYPE).to(NoopMetadataStorageProvider.class).in(LazySingleton.class);
    // the task tables' SQL dialect is in Druid's core
    PolyBind.optionBinder(binder, Key.get(MetadataStorageActionHandlerFactory.class))
        .addBinding(TYPE).to(PostgreSQLMetadataStorageActionHandlerFactory.class).in(LazySingleton.class);
    PolyBind.optionBinder(binder, Key.get(MetadataStorageConnector.class))
        .addBinding(TYPE).to(PostgresConnector.class).in(LazySingleton.class);
    PolyBind.optionBinder(binder, Key.get(SQLMetadataConnector.class))
        .addBinding(TYPE).to(PostgresConnector.class).in(LazySingleton.class);
  }
}
