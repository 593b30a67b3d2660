//! What every chaincode runtime must do, as one suite.
